/** Traefik is told to stop while the agent holds its poll. */
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { waitFor } from '../support/wait-for.ts'

describe.skipIf(!part('traefik'))('a Traefik that stops', () => {
  test('it is not kept by a held poll, and comes back whole', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig()
    const [port = 0] = rig.tcp
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: port, upstreams: [backend.address] })] })
    await rig.verdict('tcp/pg', 'live')
    await rig.traefik.stop('SIGTERM')
    // It waits ten seconds for a poll that nobody lets go, and then panics.
    expect(rig.traefik.log()).not.toContain('panic')
    await waitFor(() => rig.status().traefik.state === 'down', { what: 'the agent to notice' })
    expect(await rig.verdict('tcp/pg', 'pending')).toMatchObject({ reason: 'API_UNREACHABLE' })
    await rig.traefik.restart()
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(port)).toBe('pg')
    await waitFor(() => rig.status().traefik.polls > 0 && rig.status().traefik.holdShortened === null, {
      what: 'polls to be held again',
    })
  })
})
