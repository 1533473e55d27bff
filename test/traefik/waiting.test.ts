/** A route whose port Traefik has not open: it waits, and whoever opens the port is told what the restart cuts. */
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { waitFor } from '../support/wait-for.ts'

const remedy = (cost: string, port: number) =>
  `${cost}. Add these lines to Traefik's static configuration and restart it:\nentryPoints:\n  tcp-${port}:\n    address: ":${port}"`

describe.skipIf(!part('traefik'))('a port that Traefik has not open', () => {
  test.each<[string, object, string]>([
    ['open connections are counted', { metrics: { prometheus: {} } }, 'A restart would cut 1 open connection'],
    [
      'without metrics they are not known',
      {},
      'How many open connections a restart would cut is not known: metrics are not on the API address',
    ],
  ])('%s', async (_, staticExtra, cost) => {
    const backend = await startTcpBackend({ name: 'pg', speak: 'answer' })
    const missing = await freePort('tcp')
    const rig = await startRig({
      staticExtra: { ...staticExtra },
      settings: ({ tcp, udp }) => ({ ports: { tcp: `${tcp.join(',')},${missing}`, udp: udp.join(',') } }),
    })
    const [port = 0] = rig.tcp
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: port, upstreams: [backend.address] })] })
    await rig.verdict('tcp/pg', 'live')
    await waitFor(async () => (await tcpName(port, { send: 'x' })) === 'pg', { what: 'the route to answer' })
    const socket = connect(port, '127.0.0.1')
    atEnd(() => socket.destroy())
    await new Promise(resolve => socket.once('connect', resolve))
    await waitFor(
      async () => {
        const text = await (await fetch(new URL('/metrics', rig.traefik.api))).text()
        return !('metrics' in staticExtra) || text.includes(`entrypoint="tcp-${port}"`)
      },
      { what: 'the connection to be counted' },
    )
    await rig.write('more.yaml', {
      tcpRoutes: [tcpRoute({ id: 'more', externalPort: missing, upstreams: [backend.address] })],
    })
    await rig.verdict('tcp/more', 'waiting')
    const row = () => rig.status().routes.find(({ id }) => id === 'more')
    await waitFor(() => row()?.remedy.startsWith('Add') === false, { what: 'the cost of a restart' })
    expect(row()).toMatchObject({ reason: 'ENTRY_POINT_MISSING', remedy: remedy(cost, missing) })
  })
})
