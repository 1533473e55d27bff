/** Open connections and upstreams, from a real Traefik through our metrics to a real Prometheus. */
import { connect } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { createAdmin } from '../../src/agent/admin/admin.ts'
import { createMetrics } from '../../src/agent/metrics/metrics.ts'
import { createTraefikApi } from '../../src/agent/traefik/traefik-api.ts'
import { upstreamUse } from '../../src/core/upstream-use.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { part } from '../support/parts.ts'
import { startPrometheus } from '../support/prometheus.ts'
import { startScriptedProvider } from '../support/scripted-provider.ts'
import { startTraefik } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const NEVER = new AbortController().signal

async function node() {
  const up = await startTcpBackend({ name: 'up' })
  const provider = await startScriptedProvider()
  const traefik = await startTraefik({
    endpoint: provider.url,
    tcp: 2,
    staticExtra: { metrics: { prometheus: { entryPoint: 'traefik' } } },
  })
  const [first, second] = traefik.tcp.map(port => `tcp-${port}`)
  const check = { healthCheck: { interval: '100ms', timeout: '100ms' } }
  const service = (addresses: readonly string[], rest: object) => ({
    loadBalancer: { servers: addresses.map(address => ({ address })), ...rest },
  })
  const router = (entryPoint: string | undefined, name: string) => ({
    entryPoints: [entryPoint],
    rule: 'HostSNI(`*`)',
    service: name,
  })
  provider.serve({
    tcp: {
      routers: { tcp_pg: router(first, 'tcp_pg'), tcp_plain: router(second, 'tcp_plain') },
      // Port 9 of the machine has nobody.
      services: { tcp_pg: service([up.address, '127.0.0.1:9'], check), tcp_plain: service([up.address], {}) },
    },
  })
  const api = createTraefikApi({ url: traefik.api.origin })
  atEnd(() => api.close())
  return { traefik, api, entryPoint: first ?? '', other: second ?? '' }
}

describe.skipIf(!part('prometheus') || !part('traefik'))('Prometheus', () => {
  test('sees upstreams and open connections by entry point', async () => {
    const { api, entryPoint, other, traefik } = await node()
    const registry = new Registry()
    const metrics = createMetrics(registry, { processMetrics: false })
    // As the observer does: the last reading of Traefik.
    const rows = await waitFor(
      async () => {
        const reading = await api.read(NEVER)
        const found = reading.ok ? upstreamUse(reading.value.runtime) : []
        return found.some(({ down }) => down === 1) && found
      },
      { what: 'Traefik to find the dead upstream' },
    )
    metrics.observe(
      () => {
        throw new Error('no view in this test')
      },
      undefined,
      {
        upstreams: () => rows,
        openConnections: signal => api.openConnections(signal),
        ours: () => new Set([entryPoint, other]),
      },
    )
    const admin = createAdmin({
      listen: { host: '127.0.0.1', port: 0 },
      status: () => ({ routes: [] }),
      explain: () => null,
      readiness: () => ({ ready: true, reasons: [] }),
      liveness: () => ({ alive: true, reasons: [] }),
      registry,
      logger: pino({ level: 'silent' }),
    })
    atEnd(() => admin.stop())
    const { port } = await admin.start()
    const clients = [1, 2, 3].map(() => connect(traefik.tcp[0] ?? 0, '127.0.0.1'))
    atEnd(() => {
      for (const client of clients) client.destroy()
    })

    const prometheus = await startPrometheus(`127.0.0.1:${port}`, [])
    const numbers = async (expr: string) =>
      Object.fromEntries((await prometheus.query(expr)).map(({ labels, value }) => [labels.entry_point, value]))
    await waitFor(async () => (await numbers('fairlead_open_connections{protocol="tcp"}'))[entryPoint] === 3, {
      what: 'three open connections',
      timeoutMs: 20_000,
    })
    expect(await numbers('fairlead_upstreams{protocol="tcp"}')).toEqual({ [entryPoint]: 2, [other]: 1 })
    expect(await numbers('fairlead_upstreams_down{protocol="tcp"}')).toEqual({ [entryPoint]: 1, [other]: 0 })
    // The API's own entry point has connections too, and is none of ours.
    expect(Object.keys(await numbers('fairlead_open_connections'))).not.toContain('traefik')
  })
})
