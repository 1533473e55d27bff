/** Which numbers may be handed out: what the settings say, and what every active node has opened. */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { parseEntryPointAddress } from '../../core/entry-points.ts'
import { makePortSet, type PortSet } from '../../core/port-set.ts'
import type { ControlConfig } from '../config.ts'
import type { Tx } from '../db/transaction.ts'
import type { PortRules } from '../ports/ports.ts'
import type { L4 } from '../ports/problem.ts'
import { settingsRules } from '../stranded.ts'

const entryPoints = z.array(z.looseObject({ name: z.string(), address: z.string(), protocol: z.string() }))

type EntryPoints = z.infer<typeof entryPoints>

/** Of the active nodes that have said which entry points they have, each list once. Of the others nobody knows, so they forbid nothing. */
async function readEntryPoints(tx: Tx): Promise<readonly EntryPoints[]> {
  const { rows } = await tx.execute<{ lists: string }>(sql`
    select coalesce(json_agg(entry_points), '[]')::text as lists from (
      select distinct s.entry_points from node_status s join nodes n on n.id = s.node_id
      where n.status = 'active' and s.entry_points is not null) found`)
  const lists: unknown = JSON.parse(rows[0]?.lists ?? '[]')
  return z
    .array(z.unknown())
    .parse(lists)
    .flatMap(list => {
      const parsed = entryPoints.safeParse(list)
      return parsed.success ? [parsed.data] : []
    })
}

const numbersOf = (points: EntryPoints, protocol: L4): Set<number> =>
  new Set(
    points.flatMap(({ address }) => {
      const parsed = parseEntryPointAddress(address)
      return parsed?.protocol === protocol ? [parsed.port] : []
    }),
  )

function declaredBy(nodes: readonly EntryPoints[], protocol: L4): PortSet | null {
  const [first, ...others] = nodes.map(points => numbersOf(points, protocol))
  return first === undefined ? null : makePortSet([...first].filter(port => others.every(numbers => numbers.has(port))))
}

/** The names of Traefik's own entry points for HTTP, as the generated static configuration has them, and their usual numbers. */
const HTTP_NAMES: ReadonlySet<string> = new Set(['web', 'websecure'])
const HTTP_PORTS = [80, 443]

export type Ground = {
  readonly rules: PortRules
  /** TCP numbers that carry HTTP as well: a domain and an equal host name there are one claim. */
  readonly httpPorts: ReadonlySet<number>
}

/** It does not depend on what is declared: a change reads it first, while others hold the lock. */
export async function readGround(tx: Tx, config: Pick<ControlConfig, 'ports' | 'release'>): Promise<Ground> {
  const { tcp, udp, leastTimeMs } = settingsRules(config)
  const nodes = await readEntryPoints(tx)
  const found = nodes.flatMap(points =>
    points.flatMap(({ name, address }) => (HTTP_NAMES.has(name) ? (parseEntryPointAddress(address)?.port ?? []) : [])),
  )
  return {
    rules: {
      tcp: { ...tcp, declared: declaredBy(nodes, 'tcp') },
      udp: { ...udp, declared: declaredBy(nodes, 'udp') },
      leastTimeMs,
    },
    httpPorts: new Set([...HTTP_PORTS, ...found]),
  }
}
