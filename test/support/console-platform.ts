/**
 * A console over a small platform in which something of everything is: nodes that are current, lack entry points, hold removals and are
 * silent; routes that are live and not; and a service whose name and error text try to be more than text.
 *
 *   const platform = await openPlatform()
 *   const page = await platform.rig.open(`/services/${platform.orders.id}`)
 */
import { sql } from 'drizzle-orm'
import type { ReportStep } from '../../src/core/report-wire.ts'
import type { ReasonCode } from '../../src/core/verdict.ts'
import { type ConsoleRig, openConsole } from './console.ts'
import { told } from './control-fleet.ts'

/** Would run as HTML; turns what follows around; is not seen. */
export const HOSTILE = '<img src=x onerror=alert(1)>\u202eevil\u200bname'
/** The same as the console shows it. */
export const HOSTILE_SHOWN = '<img src=x onerror=alert(1)>␣evil␣name'

export type Exposed = { readonly id: string; readonly routeId: string; readonly port: number }

export type Platform = {
  readonly rig: ConsoleRig
  /** Nodes that report fall silent when a file takes its time: as if they had just been heard of. */
  readonly heard: () => Promise<void>
  /** Live everywhere; on the shared 10000 as orders.example.com. */
  readonly orders: Exposed
  /** Degraded on proxy-2. */
  readonly smtp: Exposed
  /** Waits for an entry point on proxy-2. */
  readonly mqtt: Exposed
  /** Refused on proxy-2, on 10033; its name is HOSTILE. */
  readonly hostile: Exposed
  /** UDP. */
  readonly dns: Exposed
}

const STEPS = ['expected', 'compiled', 'served', 'applied', 'probed']
const HOUR_MS = 3_600_000

/** Proven up to the step before `broken`. */
const chainTo = (broken: number): ReportStep[] =>
  STEPS.map((step, at) => ({
    ...{ step, ok: at < broken ? true : at === broken ? false : null },
    at: at <= broken ? new Date().toISOString() : null,
    detail: at < broken ? 'of revision 3' : at === broken ? 'connection refused' : 'not tried',
  }))

const verdictOf = (id: string, reason: ReasonCode = 'LIVE', more: Parameters<typeof told>[2] = {}) =>
  told(id, reason, {
    ...{ timingsMs: { savedToLive: 61 }, chain: chainTo(reason === 'LIVE' ? 5 : 3) },
    ...{ since: new Date(Date.now() - HOUR_MS).toISOString(), ...more },
  })

export async function openPlatform(): Promise<Platform> {
  const rig = await openConsole({
    settings: "ports: { tcp: '10000-10049', udp: '11000-11019', shared: '10000' }\nrelease: { leastTime: '600s' }",
  })
  const expose = async (name: string, port: object, backends = ['10.200.1.5']): Promise<Exposed> => {
    const { json, status } = await rig.control.asAdmin('POST', '/services', {
      ...{ name, endpoints: backends.map(address => ({ address })), ports: [{ protocol: 'tcp', ...port }] },
    })
    if (status !== 201) throw new Error(JSON.stringify(json))
    return { id: json.id, routeId: json.ports[0].id, port: json.ports[0].externalPort }
  }
  for (const node of ['srv_1', 'srv_2', 'srv_3', 'srv_4']) await rig.fleet.node(node)
  const orders = await expose(
    'orders-db',
    { port: 5432, preset: 'postgres', sniHostname: 'orders.example.com', shared: 10_000, tlsPassthrough: true },
    ['10.200.1.5', '10.200.1.6'],
  )
  const smtp = await expose('smtp-relay', { port: 25, preset: 'smtp', externalPort: 10_001 })
  const mqtt = await expose('mqtt-ingest', { port: 1883, preset: 'mqtt', externalPort: 10_002 })
  const hostile = await expose('hostile', { port: 6379, preset: 'redis', externalPort: 10_033 })
  const dns = await expose('resolver', { port: 53, protocol: 'udp', preset: 'dns', externalPort: 11_000 })
  const gone = await expose('old-cache', { port: 6380, externalPort: 10_040 })
  await rig.control.database.transaction(tx =>
    tx.execute(sql`update services set name = ${HOSTILE} where id = ${hostile.id}`),
  )
  // Before the nodes report: they have every change.
  await rig.control.asAdmin('DELETE', `/services/${gone.id}`)
  const entryPoints = [
    ...Array.from({ length: 50 }, (_, at) => ({ port: 10_000 + at, protocol: 'tcp' as const })),
    ...Array.from({ length: 20 }, (_, at) => ({ port: 11_000 + at, protocol: 'udp' as const })),
  ].map(({ port, protocol }) => ({
    ...{ name: `${protocol}-${port}`, protocol, address: protocol === 'udp' ? `:${port}/udp` : `:${port}` },
  }))
  const live = [
    ...[orders, smtp, mqtt, hostile].map(({ routeId }) => verdictOf(routeId)),
    verdictOf(dns.routeId, 'LIVE', { protocol: 'udp' }),
  ]
  await rig.fleet.report('srv_1', { entryPoints, verdicts: live, openConnections: { [`tcp/${orders.routeId}`]: 377 } })
  await rig.fleet.report('srv_2', {
    entryPoints: entryPoints.filter(({ name }) => name !== 'tcp-10002'),
    verdicts: [
      verdictOf(orders.routeId),
      verdictOf(smtp.routeId, 'BACKEND_DOWN'),
      verdictOf(mqtt.routeId, 'ENTRY_POINT_MISSING'),
      verdictOf(hostile.routeId, 'TRAEFIK_DISABLED', { message: `Traefik says ${HOSTILE}` }),
      verdictOf(dns.routeId, 'LIVE', { protocol: 'udp' }),
    ],
    openConnections: { [`tcp/${orders.routeId}`]: 1_377 },
  })
  await rig.fleet.report('srv_3', {
    ...{ entryPoints, verdicts: live },
    held: { hash: 'abcdef', removals: [`tcp/${orders.routeId}`, `tcp/${smtp.routeId}`] },
  })
  await rig.fleet.report('srv_4', { entryPoints, verdicts: live })
  await rig.fleet.quiet('srv_4', 660)
  const heard = async (): Promise<void> => {
    for (const node of ['srv_1', 'srv_2', 'srv_3']) await rig.fleet.quiet(node, 0)
  }
  return { rig, heard, orders, smtp, mqtt, hostile, dns }
}
