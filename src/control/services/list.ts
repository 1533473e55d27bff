/** Services as rows: found by what people remember of them, by name, a page at a time. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { ServicePage, ServiceQuery, ServiceRow, ServiceRowField, SlimServiceRow } from '../../api/service.ts'
import type { RouteVerdict } from '../../api/verdict.ts'
import type { Actor } from '../access/actor.ts'
import type { Tx } from '../db/transaction.ts'
import { makeCursor, readCursor, takePage } from '../http/page.ts'
import { readJson } from '../routes/fleet.ts'
import { worstVerdicts } from '../routes/worst.ts'
import { addressOf } from './connect.ts'
import { toPresetId } from './preset.ts'
import { worstVerdict } from './view.ts'

const portRow = z.tuple([
  z.string(),
  z.number(),
  z.enum(['http', 'tcp', 'udp']),
  z.boolean(),
  z.string().nullable(),
  z.string(),
  z.number().nullable(),
  z.number().nullable(),
  z.string().nullable(),
])

const serviceRow = z.object({
  id: z.string(),
  projectId: z.string(),
  name: z.string(),
  preset: z.string().nullable(),
  version: z.number(),
  createdAt: z.coerce.date(),
  updatedAt: z.coerce.date(),
  endpoints: z.array(z.string()),
  ports: z.array(portRow),
})
type Found = z.output<typeof serviceRow>

/** Conditions on `services s`. What a text is looked for in is what a row shows. */
function conditions({ q, projectId, protocol }: ServiceQuery, actor: Actor): SQL[] {
  const found: SQL[] = []
  if (actor.projectId !== null) found.push(sql`s.project_id = ${actor.projectId}`)
  if (projectId !== undefined) found.push(sql`s.project_id = ${projectId}`)
  const ofPorts = (condition: SQL) =>
    sql`exists (select 1 from service_ports p where p.service_id = s.id and ${condition})`
  if (protocol !== undefined) found.push(ofPorts(sql`p.protocol = ${protocol}`))
  const text = q?.trim().toLowerCase() ?? ''
  if (text !== '') {
    const has = (column: SQL) => sql`strpos(lower(${column}), ${text}) > 0`
    found.push(sql`(
      s.id = ${text} or ${has(sql`s.name`)} or ${has(sql`coalesce(s.preset, '')`)}
      or ${ofPorts(sql`(p.id = ${text} or ${has(sql`coalesce(p.domain, p.sni_hostname, '')`)} or p.external_port::text = ${text} or p.port::text = ${text})`)}
      or exists (select 1 from endpoints e where e.service_id = s.id and ${has(sql`e.address`)}))`)
  }
  return found
}

const readFound = (tx: Tx, where: readonly SQL[], limit: number | null): Promise<readonly Found[]> =>
  readJson(
    tx,
    serviceRow,
    sql`
      select s.id, s.project_id as "projectId", s.name, s.preset, s.version, s.created_at as "createdAt", s.updated_at as "updatedAt",
        (select coalesce(json_agg(e.address order by e.address collate "C"), '[]') from endpoints e where e.service_id = s.id) as endpoints,
        (select coalesce(json_agg(json_build_array(
            p.id, p.port, p.protocol, p.is_public, p.domain, p.path_prefix, p.external_port, p.external_port_end, p.sni_hostname
          ) order by p.id collate "C"), '[]') from service_ports p where p.service_id = s.id) as ports
      from services s
      where ${where.length === 0 ? sql`true` : sql.join([...where], sql` and `)}
      order by s.name collate "C", s.id collate "C"
      ${limit === null ? sql`` : sql`limit ${limit}`}`,
  )

type PortOfRow = { readonly id: string; readonly address: string | null }

const portsIn = ({ ports }: Found, publicHost: string): PortOfRow[] =>
  ports.map(([id, , protocol, isPublic, domain, pathPrefix, externalPort, externalPortEnd, sniHostname]) => ({
    id,
    address: isPublic
      ? addressOf({ protocol, domain, pathPrefix, externalPort, externalPortEnd, sniHostname }, publicHost)
      : null,
  }))

type WithVerdict = { readonly row: Found; readonly ports: readonly PortOfRow[]; readonly verdict: RouteVerdict | null }

async function judge(tx: Tx, rows: readonly Found[], publicHost: string): Promise<WithVerdict[]> {
  const all = rows.map(row => ({ row, ports: portsIn(row, publicHost) }))
  const routes = all.flatMap(({ ports }) => ports.flatMap(({ id, address }) => (address === null ? [] : [id])))
  const verdicts = await worstVerdicts(tx, routes)
  return all.map(({ row, ports }) => ({
    row,
    ports,
    verdict: worstVerdict(
      ports.map(({ id, address }) => (address === null ? null : (verdicts.get(id)?.verdict ?? null))),
    ),
  }))
}

const fullRow = ({ row, ports, verdict }: WithVerdict): ServiceRow => ({
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  preset: toPresetId(row.preset),
  addresses: ports.flatMap(({ address }) => address ?? []),
  endpoints: row.endpoints,
  ports: [...new Set(row.ports.map(([, port]) => port))],
  protocols: [...new Set(row.ports.map(([, , protocol]) => protocol))].sort(),
  verdict,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})

/** Only what is asked for: five thousand rows are read at once. */
function slim(row: ServiceRow, fields: readonly ServiceRowField[] | undefined): SlimServiceRow {
  if (fields === undefined) return row
  const wanted = new Set<string>(['id', ...fields])
  const entries = Object.entries(row).filter(([name]) => wanted.has(name))
  return { ...Object.fromEntries(entries), id: row.id }
}

export async function listServices(
  tx: Tx,
  actor: Actor,
  query: ServiceQuery,
  publicHost: string,
): Promise<ServicePage> {
  const { limit, cursor, verdict: wanted, fields } = query
  const key = readCursor(cursor, 2)
  const where = conditions(query, actor)
  if (key !== null) where.push(sql`(s.name collate "C", s.id collate "C") > (${key[0]}, ${key[1]})`)
  // A verdict is not in the database, so all are judged before those are left out that have another.
  const rows = await readFound(tx, where, wanted === undefined ? limit + 1 : null)
  const needsVerdict = wanted !== undefined || fields === undefined || fields.includes('verdict')
  const judged = needsVerdict
    ? await judge(tx, rows, publicHost)
    : rows.map(row => ({ row, ports: portsIn(row, publicHost), verdict: null }))
  const left =
    wanted === undefined ? judged : judged.filter(({ verdict }) => verdict !== null && wanted.includes(verdict))
  const { items, nextCursor } = takePage(left.slice(0, limit + 1), limit, ({ row }) => makeCursor(row.name, row.id))
  return { items: items.map(one => slim(fullRow(one), fields)), nextCursor }
}
