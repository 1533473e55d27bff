/** What the form of a new API token asks, and what of it is sent. */
import type { Scope, Token, TokenInput } from '../../../api/token.ts'

export type TokenForm = {
  readonly name: string
  readonly scope: Scope
  /** Empty: all projects. */
  readonly projectId: string
  /** Days until it ends; 0: never. */
  readonly days: string
}

export const ENDS = [
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
  ['0', 'Never'],
] as const

const RANKS: Readonly<Record<Scope, number>> = { read: 0, write: 1, admin: 2 }

/** `admin` includes `write`, and `write` includes `read`: the strongest says it all. */
export const strongest = (scopes: readonly Scope[]): Scope =>
  [...scopes].sort((one, other) => RANKS[other] - RANKS[one])[0] ?? 'read'

/** Scopes that somebody with these may hand on: none that is stronger. */
export const scopesUpTo = (own: readonly Scope[]): readonly Scope[] =>
  (['read', 'write', 'admin'] as const).filter(scope => RANKS[scope] <= RANKS[strongest(own)])

export const SCOPE_WORDS: Readonly<Record<Scope, readonly [word: string, hint: string]>> = {
  read: ['read', 'Sees services, routes, nodes and ports.'],
  write: ['write', 'Also makes, changes and deletes services.'],
  admin: ['admin', 'Also nodes, pools, projects and tokens.'],
}

const DAY_SECONDS = 86_400

export function tokenInput({ name, scope, projectId, days }: TokenForm): TokenInput {
  const seconds = Number(days) * DAY_SECONDS
  return {
    name: name.trim(),
    scopes: [scope],
    projectId: projectId === '' ? null : projectId,
    expiresInSeconds: seconds === 0 ? null : seconds,
  }
}

export type TokenLife = 'ended' | 'ending' | 'good'

const ENDING_MS = 7 * DAY_SECONDS * 1_000

/** `ending`: within a week, while there is time to make another one. */
export function lifeOf({ expiresAt }: Pick<Token, 'expiresAt'>, now: number): TokenLife {
  if (expiresAt === null) return 'good'
  const left = Date.parse(expiresAt) - now
  return left <= 0 ? 'ended' : left < ENDING_MS ? 'ending' : 'good'
}
