/** Which entry points a node lacks for the routes that are declared, with the lines that open them. Pure, but for the reading. */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { MissingEntryPoint } from '../../api/node.ts'
import { entryPointLines, entryPointName, parseEntryPointAddress } from '../../core/entry-points.ts'
import type { Tx } from '../db/transaction.ts'
import { readJson } from '../routes/fleet.ts'

/** Numbers that a public route has, one or a block. */
const neededRow = z.object({
  id: z.string(),
  protocol: z.enum(['tcp', 'udp']),
  first: z.number(),
  last: z.number(),
})
export type NeededPorts = z.infer<typeof neededRow>

export const readNeeded = (tx: Tx): Promise<readonly NeededPorts[]> =>
  readJson(
    tx,
    neededRow,
    sql`select id, protocol, external_port as first, coalesce(external_port_end, external_port) as last
      from service_ports where is_public and external_port is not null and protocol <> 'http'
        and (expires_at is null or expires_at > statement_timestamp())
      order by protocol, external_port, id`,
  )

const entryPointRow = z.array(z.object({ address: z.string() }))

/** Of the list that a node has reported; null: it never named them. */
export function missingEntryPoints(reported: unknown, needed: readonly NeededPorts[]): MissingEntryPoint[] | null {
  const list = entryPointRow.safeParse(reported)
  if (!list.success) return null
  const open = new Set(
    list.data.flatMap(({ address }) => {
      const parsed = parseEntryPointAddress(address)
      return parsed === null ? [] : [`${parsed.protocol}-${parsed.port}`]
    }),
  )
  const missing = new Map<string, MissingEntryPoint>()
  for (const { id, protocol, first, last } of needed)
    for (let port = first; port <= last; port++) {
      const key = `${protocol}-${port}`
      if (open.has(key)) continue
      const name = entryPointName(protocol, port)
      const known = missing.get(key) ?? { name, protocol, port, lines: entryPointLines(protocol, port), routeIds: [] }
      missing.set(key, { ...known, routeIds: [...known.routeIds, id] })
    }
  return [...missing.values()]
}
