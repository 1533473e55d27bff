/** Ports and services as the API shows them. */
import type { Port, PresetId } from '../../api/port.ts'
import type { Service } from '../../api/service.ts'
import type { RouteVerdict } from '../../api/verdict.ts'
import { compareVerdicts } from '../../api/verdict.ts'
import type { Tx } from '../db/transaction.ts'
import { worstVerdicts } from '../routes/worst.ts'
import { addressOf, connectCommands } from './connect.ts'
import { toPresetId } from './preset.ts'
import { endpointsOf, healthCheckOf, type PortRow, portsOf, probeOf, type ServiceRow } from './rows.ts'
import type { WireEndpoint } from './wire.ts'

/** Public, with an address. */
export const isRoute = ({ isPublic, externalPort, protocol, domain }: PortRow): boolean =>
  isPublic && (externalPort !== null || (protocol === 'http' && domain !== null))

/** What counts of the two presets. */
export const presetOf = (port: Pick<PortRow, 'preset'>, service: Pick<ServiceRow, 'preset'>): PresetId | null =>
  toPresetId(port.preset ?? service.preset)

export type PortContext = {
  readonly publicHost: string
  readonly service: Pick<ServiceRow, 'preset'>
  readonly verdict: RouteVerdict | null
}

export function portView(row: PortRow, { publicHost, service, verdict }: PortContext): Port {
  const { id, serviceId, port, protocol, isPublic, domain, certResolver, externalPort, externalPortEnd, shared } = row
  const { tlsPassthrough, tls, sniHostname, allowCidrs, maxConnectionsPerClient, proxyProtocol, version } = row
  const reachable = { ...row, preset: presetOf(row, service) }
  const isHttp = protocol === 'http'
  const reached = isRoute(row)
  return {
    ...{ id, serviceId, port, protocol, isPublic },
    preset: toPresetId(row.preset),
    domain,
    pathPrefix: isHttp ? row.pathPrefix : null,
    redirectToHttps: isHttp ? row.redirectToHttps : null,
    ...{ certResolver, externalPort, externalPortEnd },
    shared: shared ? externalPort : null,
    ...{ tlsPassthrough, tls, sniHostname, allowCidrs, maxConnectionsPerClient, proxyProtocol },
    healthCheck: healthCheckOf(row),
    probe: probeOf(row),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    address: reached ? addressOf(row, publicHost) : null,
    connect: reached ? connectCommands(reachable, publicHost) : [],
    verdict: reached ? verdict : null,
    version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}

/** For the audit log: what people declared, without what follows from it. */
export function portRecord(port: Port): Omit<Port, 'connect' | 'verdict'> {
  const { connect: _connect, verdict: _verdict, ...record } = port
  return record
}

export const worstVerdict = (verdicts: readonly (RouteVerdict | null)[]): RouteVerdict | null =>
  verdicts.reduce(
    (worst, one) => (worst === null || (one !== null && compareVerdicts(one, worst) < 0) ? one : worst),
    null,
  )

/** The verdicts of these ports, null for those that are no routes. */
export async function readVerdicts(tx: Tx, ports: readonly PortRow[]): Promise<ReadonlyMap<string, RouteVerdict>> {
  const found = await worstVerdicts(
    tx,
    ports.filter(isRoute).map(({ id }) => id),
  )
  return new Map([...found].map(([id, { verdict }]) => [id, verdict]))
}

export async function readPortView(tx: Tx, row: PortRow, service: ServiceRow, publicHost: string): Promise<Port> {
  const verdicts = await readVerdicts(tx, [row])
  return portView(row, { publicHost, service, verdict: verdicts.get(row.id) ?? null })
}

export const readServiceView = async (tx: Tx, row: ServiceRow, publicHost: string): Promise<Service> =>
  readViewWith(tx, row, await endpointsOf(tx, row.id), publicHost)

/** Of one whose endpoints are known, in the order of their addresses. */
export async function readViewWith(
  tx: Tx,
  row: ServiceRow,
  endpoints: readonly WireEndpoint[],
  publicHost: string,
): Promise<Service> {
  const { id, projectId, name, version } = row
  const ports = await portsOf(tx, id)
  const verdicts = await readVerdicts(tx, ports)
  const views = ports.map(port => portView(port, { publicHost, service: row, verdict: verdicts.get(port.id) ?? null }))
  return {
    ...{ id, projectId, name },
    preset: toPresetId(row.preset),
    endpoints: [...endpoints],
    ports: views,
    verdict: worstVerdict(views.map(({ verdict }) => verdict)),
    version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}

export function serviceRecord({ verdict: _verdict, ports, ...record }: Service) {
  return { ...record, ports: ports.map(portRecord) }
}
