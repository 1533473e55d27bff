/** The real provider endpoint on a port of the kernel, stopped at the end of the test. */
import { pino } from 'pino'
import { createProvider, type Poll, type Provider, type ProviderOptions } from '../../src/agent/provider/provider.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { Snapshot } from '../../src/core/payload.ts'
import { atEnd } from './at-end.ts'

/** A snapshot with any body; its hash is that of the text. */
export const snapshotOf = (body: string): Snapshot => ({ hash: sha256(body), body })

export type StartedProvider = Provider & {
  readonly port: number
  /** What `onPoll` was told, in order. */
  readonly polled: readonly Poll[]
}

/** Its clock stands at 1,700,000,000,000 unless given. */
export async function startProvider(options: Partial<ProviderOptions> = {}): Promise<StartedProvider> {
  const polled: Poll[] = []
  const provider = createProvider({
    listen: { host: '127.0.0.1', port: 0 },
    token: null,
    logger: pino({ level: 'silent' }),
    clock: () => 1_700_000_000_000,
    onPoll: poll => polled.push(poll),
    ...options,
  })
  atEnd(provider.stop)
  const { port } = await provider.start()
  return { ...provider, port, polled }
}
