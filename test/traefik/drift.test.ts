/** Somebody gives Traefik another configuration behind the agent's back. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tcpAsk, tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { TRAEFIK_HEADERS } from '../support/poll-client.ts'
import { waitFor } from '../support/wait-for.ts'

const FOREIGN_BODY = JSON.stringify({ tcp: { services: { other: { loadBalancer: { servers: [] } } } } })

/** Between Traefik and the agent: one poll of the agent serves all of Traefik's, and a poll can be answered with another body. */
async function startInterloper(): Promise<{ readonly url: string; target(url: string): void; interfere(): void }> {
  let target = ''
  let asked = false
  const waiting = new Set<ServerResponse>()
  const answerAll = (status: number, body: string) => {
    for (const response of waiting) response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body)
    waiting.clear()
  }
  async function ask(): Promise<void> {
    if (asked) return
    asked = true
    try {
      const response = await fetch(target, { headers: TRAEFIK_HEADERS })
      answerAll(response.status, await response.text())
    } catch {
      answerAll(503, '')
    }
    asked = false
  }
  const server = createServer((_, response) => {
    waiting.add(response)
    response.on('close', () => waiting.delete(response))
    void ask()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    target(url) {
      target = url
    },
    interfere: () => answerAll(200, FOREIGN_BODY),
  }
}

describe.skipIf(!part('traefik'))('drift', () => {
  test('a configuration that Traefik has lost is sent again', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const interloper = await startInterloper()
    const rig = await startRig({ staticExtra: { providers: { http: { endpoint: interloper.url } } } })
    interloper.target(rig.endpoint)
    const [port = 0] = rig.tcp
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: port, upstreams: [backend.address] })] })
    await rig.verdict('tcp/pg', 'live')
    await rig.applied()
    await waitFor(() => rig.status().traefik.heldPolls > 0, { what: 'a poll that is held' })
    interloper.interfere()
    await waitFor(async () => (await tcpAsk(port, { timeoutMs: 300 })).kind !== 'said', {
      what: 'Traefik to lose the route',
    })
    await rig.verdict('tcp/pg', 'live', 60_000)
    await waitFor(async () => (await tcpName(port)) === 'pg', { what: 'the route to serve again', timeoutMs: 20_000 })
    expect(
      rig.log().some(line => line.msg === 'Traefik has lost the configuration that it had; it gets it again'),
    ).toBe(true)
  })
})
