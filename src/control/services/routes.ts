/**
 * All routes of all projects, as agents are told of them: what is public, and has a number (TCP, UDP) or a domain (HTTP).
 *
 * What the answer holds changes only with the revision. A port whose time is over stays in it until the chore that ends it has counted the
 * revision up; agents leave it out by themselves when the time comes.
 */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Tx } from '../db/transaction.ts'
import {
  toHttpRoute,
  toTcpRoute,
  toUdpRoute,
  type WireEndpoint,
  type WireHttpRoute,
  type WireTcpRoute,
  type WireUdpRoute,
} from './wire.ts'

/** The lists of the expected state, each sorted by id, each with its fields in one order: equal states are equal texts. */
export type WireRoutes = {
  readonly routes: readonly WireHttpRoute[]
  readonly tcpRoutes: readonly WireTcpRoute[]
  readonly udpRoutes: readonly WireUdpRoute[]
}

const row = z.tuple([
  z.string(),
  z.string(),
  z.enum(['http', 'tcp', 'udp']),
  z.number(),
  z.string().nullable(),
  z.string(),
  z.boolean(),
  z.string().nullable(),
  z.number().nullable(),
  z.number().nullable(),
  z.enum(['none', 'passthrough', 'terminate']).nullable(),
  z.string().nullable(),
  z.string().nullable(),
  z.array(z.string()),
  z.number().nullable(),
  z.number().nullable(),
  z.unknown(),
  z.unknown(),
  z.number().nullable(),
  z.number(),
])

const answer = z.object({ ports: z.array(row), endpoints: z.array(z.tuple([z.string(), z.string(), z.number()])) })

const jsonText = z.string().transform((text): unknown => JSON.parse(text))

const isRoute = sql`p.is_public and (p.external_port is not null or (p.protocol = 'http' and p.domain is not null))`

const milliseconds = (column: string) => sql.raw(`floor(extract(epoch from ${column}) * 1000)`)

/**
 * One statement, so one moment. Ten thousand routes take some tens of milliseconds.
 * @param which a condition on `service_ports p`, when not all are wanted
 */
export async function readRoutes(tx: Tx, which: SQL = sql`true`): Promise<WireRoutes> {
  const { rows } = await tx.execute(sql`
    select json_build_object(
      'ports', (
        select coalesce(json_agg(json_build_array(
          p.id, p.service_id, p.protocol, p.port, p.domain, p.path_prefix, p.redirect_to_https, p.cert_resolver, p.external_port,
          p.external_port_end, p.tls, p.sni_hostname, coalesce(p.preset, s.preset), p.allow_cidrs, p.max_connections_per_client,
          p.proxy_protocol, p.health_check, p.probe, ${milliseconds('p.expires_at')}, ${milliseconds('p.claimed_at')}
        ) order by p.id collate "C"), '[]')
        from service_ports p join services s on s.id = p.service_id where ${isRoute} and ${which}),
      'endpoints', (
        select coalesce(json_agg(json_build_array(service_id, address, weight)), '[]')
        from endpoints where service_id in (select service_id from service_ports p where ${isRoute} and ${which}))
    )::text as state`)
  const { ports, endpoints } = answer.parse(jsonText.parse(rows[0]?.state))
  const byService = new Map<string, WireEndpoint[]>()
  for (const [serviceId, address, weight] of endpoints) {
    const list = byService.get(serviceId)
    if (list === undefined) byService.set(serviceId, [{ address, weight }])
    else list.push({ address, weight })
  }
  const routes: WireHttpRoute[] = []
  const tcpRoutes: WireTcpRoute[] = []
  const udpRoutes: WireUdpRoute[] = []
  for (const [
    id,
    serviceId,
    protocol,
    port,
    domain,
    pathPrefix,
    redirectToHttps,
    certResolver,
    externalPort,
    externalPortEnd,
    tls,
    sniHostname,
    preset,
    allowCidrs,
    maxConnectionsPerClient,
    proxyProtocol,
    healthCheck,
    probe,
    expiresAt,
    claimedAt,
  ] of ports) {
    const source = {
      ...{ id, serviceId, protocol, port, domain, pathPrefix, redirectToHttps, certResolver, externalPort },
      ...{ externalPortEnd, tls, sniHostname, preset, allowCidrs, maxConnectionsPerClient, proxyProtocol },
      ...{ healthCheck, probe, expiresAt, claimedAt },
    }
    const its = byService.get(serviceId) ?? []
    if (protocol === 'http') {
      if (domain !== null) routes.push(toHttpRoute(source, domain, its))
    } else if (externalPort !== null) {
      if (protocol === 'tcp') tcpRoutes.push(toTcpRoute(source, externalPort, its))
      else udpRoutes.push(toUdpRoute(source, externalPort, its))
    }
  }
  return { routes, tcpRoutes, udpRoutes }
}
