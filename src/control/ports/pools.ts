/** What there is to see of a pool: each number, who has it, and what it waits for. */
import { sql } from 'drizzle-orm'
import type { Tx } from '../db/transaction.ts'
import type { PortRules } from './ports.ts'
import type { L4, PoolCounts } from './problem.ts'
import type { Rest } from './rest.ts'
import { readPoolFacts } from './rows.ts'
import { countPool, type PortPool, type PortState, stateOf } from './standing.ts'

export type PortOwner = {
  readonly servicePortId: string
  readonly projectId: string
  /** Empty for the number as a whole. */
  readonly host: string
}

export type PortEntry = {
  readonly port: number
  readonly state: PortState
  /** False for a number that is in use, or rests, though the pool does not have it any more. */
  readonly inPool: boolean
  /** One for a number, one for each host name on a shared one. */
  readonly owners: readonly PortOwner[]
  /** When it was claimed, or released; null for one that has never been claimed. */
  readonly since: Date | null
  /** While it rests. */
  readonly rest: Rest | null
  /** Why an admin has reserved it. */
  readonly note: string | null
}

export type PoolState = { readonly counts: PoolCounts; readonly ports: readonly PortEntry[] }

type ClaimRow = {
  readonly port: number
  readonly host: string
  readonly servicePortId: string | null
  readonly projectId: string | null
  readonly since: string
}

/** Every number of the pool, every shared one, and what is left on numbers that are neither; ascending. */
export async function readPool(tx: Tx, protocol: L4, rules: PortRules): Promise<PoolState> {
  const pool: PortPool = rules[protocol]
  const { view } = await readPoolFacts(tx, { protocol, projectId: null, leastTimeMs: rules.leastTimeMs })
  const { rows } = await tx.execute<ClaimRow>(sql`
    select port, host, service_port_id as "servicePortId", project_id as "projectId",
      coalesce(released_at, created_at) as since
    from allocated_ports where protocol = ${protocol} order by port, host`)
  const claims = Map.groupBy(rows, ({ port }) => port)
  const ports = new Set([...pool.range.list(), ...pool.shared.list(), ...claims.keys()])
  const entries = [...ports]
    .sort((a, b) => a - b)
    .map((port): PortEntry => {
      const its = claims.get(port) ?? []
      const number = its.find(({ host }) => host === '')
      const state = stateOf(port, pool, view)
      // What is free again tells nothing of its last owner; the row stays until somebody takes the number, since it goes last.
      const hasRested = number?.servicePortId === null && view.resting.has(port) && state !== 'resting'
      return {
        port,
        state,
        inPool: pool.range.has(port) || pool.shared.has(port),
        owners: its.flatMap(({ servicePortId, projectId, host }) =>
          servicePortId === null || projectId === null ? [] : [{ servicePortId, projectId, host }],
        ),
        since: number === undefined || hasRested ? null : new Date(number.since),
        rest: hasRested ? null : (view.resting.get(port)?.rest ?? null),
        note: view.reserved.get(port) ?? null,
      }
    })
  return { counts: countPool(pool, view), ports: entries }
}
