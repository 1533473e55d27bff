/** A real Prometheus scrapes a real agent beside a real Traefik, and the queries that people see answer. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startRig } from '../support/agent-rig.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute, udpRoute } from '../support/builders.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { type Sample, startPrometheus } from '../support/prometheus.ts'
import { waitFor } from '../support/wait-for.ts'

const RULES = new URL('../../proxy/prometheus/fairlead.rules.yml', import.meta.url)
const DASHBOARD = new URL('../../proxy/grafana/fairlead.json', import.meta.url)

const QUIET = [
  'sum by (protocol, entry_point) (fairlead_upstreams_down) > 0',
  'sum by (result) (rate(fairlead_probes_total[$__rate_interval]))',
  'sum by (protocol) (fairlead_routes_probe_failed) > 0',
  'sum by (phase) (fairlead_publication_phase{instance=~"$instance", phase!="steady"}) > 0',
  'fairlead_expected_revision',
  'fairlead_served_revision',
  'fairlead_applied_revision',
  'sum by (result) (rate(fairlead_reports_total[$__rate_interval]))',
  'sum(1 - fairlead_traefik_api_up) > 0',
]

const rulesAnswer = z.object({
  groups: z.array(
    z.object({
      rules: z.array(z.object({ name: z.string(), health: z.string(), state: z.string() })),
    }),
  ),
})
const dashboardFile = z.object({
  panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).default([]) })),
})

async function scraped() {
  const backend = await startTcpBackend({ name: 'pg' })
  const admin = await freePort('tcp')
  const rig = await startRig({
    tcp: 2,
    udp: 2,
    staticExtra: { metrics: { prometheus: { entryPoint: 'traefik' } } },
    settings: { admin: { listen: `127.0.0.1:${admin}` } },
  })
  const [port = 0] = rig.tcp
  await rig.write('routes.json', {
    tcpRoutes: [
      tcpRoute({ id: 'pg', externalPort: port, upstreams: [backend.address] }),
      tcpRoute({ id: 'elsewhere', externalPort: 9, upstreams: [backend.address] }),
    ],
    udpRoutes: [udpRoute({ externalPort: rig.udp[0] })],
  })
  await rig.verdict('tcp/pg', 'live')
  await rig.applied()
  const prometheus = await startPrometheus(`127.0.0.1:${admin}`, [RULES.pathname])
  return { rig, prometheus, target: `127.0.0.1:${admin}` }
}

describe.skipIf(!part('prometheus') || !part('traefik'))('Prometheus', () => {
  let node: Awaited<ReturnType<typeof scraped>>
  beforeAll(async () => {
    node = await scraped()
  })

  /** Waits for the one value that the query gives. */
  function until(expr: string, value: number): Promise<unknown> {
    let last: readonly Sample[] = []
    return waitFor(
      async () => {
        last = await node.prometheus.query(expr)
        return last.length === 1 && last[0]?.value === value
      },
      { what: `${expr} to be ${value}`, timeoutMs: 15_000 },
    ).catch(error => {
      throw new Error(`${String(error)}, it is ${JSON.stringify(last)}`)
    })
  }

  test('sees what the agent knows of its routes', async () => {
    await until('up{job="fairlead-agent"}', 1)
    await until('fairlead_in_sync', 1)
    await until('fairlead_ready', 1)
    expect(await node.prometheus.query('sum by (verdict) (fairlead_routes) > 0')).toEqual([
      { labels: { verdict: 'live' }, value: 2 },
      { labels: { verdict: 'rejected' }, value: 1 },
    ])
    expect(await node.prometheus.query('fairlead_problems > 0')).toEqual([
      {
        labels: {
          __name__: 'fairlead_problems',
          code: 'PORT_OUT_OF_RANGE',
          instance: node.target,
          job: 'fairlead-agent',
        },
        value: 1,
      },
    ])
    expect(await node.prometheus.query('sum(fairlead_drift)')).toEqual([{ labels: {}, value: 0 }])
  })

  test('sees ports, upstreams and open connections by entry point', async () => {
    const [port = 0] = node.rig.tcp
    const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    atEnd(() => {
      for (const client of clients) client.destroy()
    })
    await until(`fairlead_open_connections{protocol="tcp", entry_point="tcp-${port}"}`, 2)
    await until(`fairlead_upstreams{protocol="tcp", entry_point="tcp-${port}"}`, 1)
    await until(`fairlead_upstreams_down{protocol="tcp", entry_point="tcp-${port}"}`, 0)
    await until('fairlead_ports{protocol="tcp", state="free"}', 1)
    await until('fairlead_ports{protocol="tcp", state="missing"}', 0)
  })

  test('all alerts are evaluated and none fires for a healthy node', async () => {
    await until('fairlead_in_sync', 1)
    const rules = await waitFor(
      async () => {
        const found = rulesAnswer.parse(await node.prometheus.get('/rules')).groups.flatMap(group => group.rules)
        // The route that is out of range is told of in time, but not at once.
        return found.some(({ state }) => state === 'pending') && found
      },
      { what: 'an alert to be pending', timeoutMs: 15_000 },
    )
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    expect(rules.filter(({ state }) => state !== 'inactive').map(({ name, state }) => ({ name, state }))).toEqual([
      { name: 'FairleadRoutesNotLive', state: 'pending' },
    ])
  })

  test('every query of the dashboard is answered', async () => {
    await until('fairlead_in_sync', 1)
    const exprs = dashboardFile
      .parse(JSON.parse(readFileSync(DASHBOARD, 'utf8')))
      .panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
    const quiet: string[] = []
    // A rate needs two scrapes; the last of these queries has one.
    await until('count_over_time(up[1m]) > bool 2', 1)
    for (const expr of exprs) {
      const asked = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*')
      if ((await node.prometheus.query(asked)).length === 0) quiet.push(expr.replaceAll('{instance=~"$instance"}', ''))
    }
    // On a node where nothing is wrong and whose revisions are hashes.
    expect(quiet).toEqual(QUIET)
    expect(node.rig.status().counts.live).toBe(2)
  })

  test('an agent that stops is down', async () => {
    await node.rig.stopAgent()
    await until('up{job="fairlead-agent"}', 0)
  })
})
