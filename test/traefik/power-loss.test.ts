/** A change is served before the disk has it for good: nobody is told to rely on it until then, and a loss of power undoes it in good order. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { realStateFs, type StateFs } from '../../src/agent/store/state-fs.ts'
import { startRig } from '../support/agent-rig.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { startReportingPlane } from '../support/reporting-plane.ts'
import { waitFor } from '../support/wait-for.ts'

const LONG = { timeoutMs: 30_000 }

/** A disk that takes everything at once, and whose fsync takes as long as the test wants. */
function makeSlowDisk() {
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  const fs: StateFs = {
    ...realStateFs,
    async open(path, flags, mode) {
      const file = await realStateFs.open(path, flags, mode)
      return {
        stat: () => file.stat(),
        read: (...args) => file.read(...args),
        write: (...args) => file.write(...args),
        close: () => file.close(),
        async sync() {
          await gate.promise
          await file.sync()
        },
      }
    },
  }
  const halt = (): void => {
    gate = Promise.withResolvers<void>()
  }
  const goOn = (): void => gate.resolve()
  atEnd(goOn)
  return { fs, halt, goOn }
}

describe.skipIf(!part('traefik'))('a loss of power', () => {
  test('a change that the disk did not have yet is undone in good order', async () => {
    const backend = await startTcpBackend({ name: 'one' })
    const disk = makeSlowDisk()
    const plane = await startReportingPlane()
    plane.set({})
    const rig = await startRig({ tcp: 2, controlPlane: plane.url, options: () => ({ stateFs: disk.fs }) })
    const route = (id: string, index: number) =>
      tcpRoute({ id, externalPort: rig.tcp[index], upstreams: [backend.address] })
    const acknowledged = () => plane.reports.at(-1)?.revision.applied
    plane.set({ tcpRoutes: [route('old', 0)] })
    await waitFor(() => acknowledged() === 2, { what: 'revision 2 to be acknowledged', ...LONG })

    disk.halt()
    plane.set({ tcpRoutes: [route('new', 1)] }, { removed: ['old'] })
    await waitFor(() => plane.told('new')?.verdict === 'live', { what: 'the new route to be told live', ...LONG })
    expect(await tcpName(rig.tcp[1] ?? 0)).toBe('one')
    expect([acknowledged(), rig.status().revision]).toEqual([2, { expected: 3, served: 3, applied: 2 }])

    // The file of the new state is not there any more, as if it had never been written; the machine comes up.
    disk.goOn()
    await rig.stopAgent()
    const states = join(rig.folder, 'state')
    const files = (await readdir(states)).filter(name => name.startsWith('snapshot-')).sort()
    await rm(join(states, files.at(-1) ?? ''))
    await rig.traefik.stop()
    await rig.startAgent()
    await rig.traefik.restart()
    await waitFor(() => acknowledged() === 3, { what: 'revision 3 to be acknowledged', ...LONG })
    expect(plane.ids()).toEqual(['new'])
    expect(await tcpName(rig.tcp[1] ?? 0)).toBe('one')
    expect(rig.status()).toMatchObject({ revision: { expected: 3, served: 3, applied: 3 }, held: [] })
    const faults = rig.log().flatMap(({ code }) => (typeof code === 'string' ? [code] : []))
    expect(faults.filter(code => code.startsWith('REVISION'))).toEqual([])
  })
})
