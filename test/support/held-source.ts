/** A source that holds a good reading, and what a fault of its control plane does to it: nothing. */
import { expect } from 'vitest'
import { makeTokenAuth } from '../../src/agent/identity.ts'
import type { SourceFault, SourceReading } from '../../src/agent/sources/source.ts'
import { createHarness, type Harness, stateDocument } from './control-plane-harness.ts'
import { type FaultServer, jsonResponse, type Script, startFaultServer } from './fault-server.ts'
import { waitFor } from './wait-for.ts'

/** In the token, and in the parts of each document that are none of ours. */
export const CANARY = 'CANARY-5d1f0c'

export const GOOD = { ...stateDocument(), others: { password: CANARY } }

/** No ETag: so it is polled, and each poll meets the script that is played. */
export const serveGood: Script = socket => void socket.write(jsonResponse(GOOD))

export type HeldSource = Harness & {
  readonly server: FaultServer
  readonly reading: SourceReading
}

type Options = Omit<Parameters<typeof createHarness>[0], 'urls'> & { readonly server?: FaultServer }

export async function holdReading({ server: given, ...options }: Options = {}): Promise<HeldSource> {
  const server = given ?? (await startFaultServer())
  server.play(serveGood)
  const harness = createHarness({ urls: [server.url], auth: makeTokenAuth(`flt_${CANARY}`), ...options })
  await harness.source.start()
  const { reading, fault } = harness.source.status()
  if (reading === null) throw new Error(`no reading to begin with: ${fault?.message}`)
  return { ...harness, server, reading }
}

/** Nothing but the fault has changed, and no secret has come out. */
export function expectUntouched({ source, reading, logText }: HeldSource): void {
  expect(source.status().reading).toBe(reading)
  expect(source.mark()).toEqual({ controlPlaneId: 'cp_1', epoch: 1, revision: 1 })
  expect(logText() + JSON.stringify(source.status())).not.toContain(CANARY)
}

/** Plays the fault until the source shows it, then heals the server, and the source with it. Gives the fault. */
export async function meet(held: HeldSource, script: Script): Promise<SourceFault> {
  held.server.play(script)
  const fault = await waitFor(() => held.source.status().fault, { what: 'a fault' })
  expectUntouched(held)
  held.server.play(serveGood)
  await waitFor(() => held.source.status().fault === null, { what: 'the end of the fault' })
  expectUntouched(held)
  return fault
}
