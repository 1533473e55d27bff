/** What is to be said of one number of a pool: whether it may be handed out, and if not, why. */
import type { PortSet } from '../../core/port-set.ts'
import { type L4, makePortProblem, type PoolCounts, type PortProblem, restRemedy, restText } from './problem.ts'
import type { Rest } from './rest.ts'

/** What the settings and the nodes say of the numbers of one protocol. */
export type PortPool = {
  readonly range: PortSet
  /** Never handed out. */
  readonly reserved: PortSet
  /** Belong to everybody, by host name. TCP only. */
  readonly shared: PortSet
  /** Those that every active node has as entry points; null when there is no node yet. */
  readonly declared: PortSet | null
}

export type RestingPort = {
  readonly port: number
  /** The project that asks has released it. */
  readonly own: boolean
  readonly restedMs: number
  readonly rest: Rest
}

/** What the database says, read under the lock of the change. */
export type PoolView = {
  readonly used: ReadonlySet<number>
  /** Numbers with host names on them, used or not rested long enough. */
  readonly hosts: ReadonlySet<number>
  /** By an admin, with the note. */
  readonly reserved: ReadonlyMap<number, string | null>
  readonly resting: ReadonlyMap<number, RestingPort>
}

type Standing = 'shared' | 'outside' | 'reserved' | 'undeclared' | 'used' | 'resting' | 'open'

function standing(port: number, pool: PortPool, view: PoolView): Standing {
  if (pool.shared.has(port)) return 'shared'
  if (!pool.range.has(port)) return 'outside'
  if (pool.reserved.has(port) || view.reserved.has(port)) return 'reserved'
  if (pool.declared?.has(port) === false) return 'undeclared'
  if (view.used.has(port) || view.hosts.has(port)) return 'used'
  const resting = view.resting.get(port)
  return resting === undefined || resting.own || resting.rest.over ? 'open' : 'resting'
}

/** Free, or rested, or just released by the project that asks. */
export const isOpen = (port: number, pool: PortPool, view: PoolView): boolean => standing(port, pool, view) === 'open'

/** Why this number may not be handed out; null when it may. */
export function refusalOf(protocol: L4, port: number, pool: PortPool, view: PoolView): PortProblem | null {
  const name = `${protocol.toUpperCase()} port ${port}`
  const problem = (code: PortProblem['code'], message: string, remedy: string, rest: Rest | null = null): PortProblem =>
    makePortProblem(code, protocol, message, remedy, {
      port,
      ...(rest === null ? {} : { leftMs: rest.leftMs, blockedBy: rest.blockedBy }),
    })
  const found = standing(port, pool, view)
  switch (found) {
    case 'open':
      return null
    case 'shared':
      return problem('PORT_SHARED', `${name} is shared by host name`, 'Give sniHostname and shared instead.')
    case 'outside':
      return problem(
        'PORT_OUT_OF_RANGE',
        `${name} is outside ${pool.range.text}`,
        'Take one of those, or none to get one.',
      )
    case 'reserved': {
      const note = view.reserved.get(port) ?? null
      return problem('PORT_RESERVED', `${name} is reserved${note === null ? '' : `: ${note}`}`, 'Take another.')
    }
    case 'undeclared':
      return problem(
        'PORT_UNDECLARED',
        `not every active node has an entry point for ${name}`,
        'Add it to their static configuration, or take another.',
      )
    case 'used':
      return problem('PORT_TAKEN', `${name} is taken`, 'Take another, or none to get one.')
    case 'resting': {
      const rest = view.resting.get(port)?.rest ?? null
      const why = rest === null ? 'rests' : restText(rest)
      return problem('PORT_TAKEN', `${name} was released and ${why}`, restRemedy(rest?.blockedBy ?? []), rest)
    }
    default:
      return found satisfies never
  }
}

export type PortState = 'free' | 'used' | 'resting' | 'reserved' | 'shared' | 'undeclared'

/** For a list of all numbers. One in use is in use, whatever else it is; one that rests rests, for everybody, until its rest is over. */
export function stateOf(port: number, pool: PortPool, view: PoolView): PortState {
  if (view.used.has(port)) return 'used'
  const found = standing(port, pool, view)
  if (found === 'shared' || found === 'reserved') return found
  if (view.hosts.has(port)) return 'used'
  if (view.resting.get(port)?.rest.over === false) return 'resting'
  return found === 'undeclared' ? 'undeclared' : 'free'
}

/** How the numbers of the pool's range are spread. */
export function countPool(pool: PortPool, view: PoolView): PoolCounts {
  const counts = { total: pool.range.size, free: 0, used: 0, resting: 0, reserved: 0, shared: 0, undeclared: 0 }
  for (const port of pool.range.list()) counts[stateOf(port, pool, view)]++
  return counts
}
