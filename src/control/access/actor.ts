/**
 * Who asks, and what that one may see. An actor of one project sees and changes only that; everything else is not there for it, and is
 * answered with 404, never with 403, which would say that it exists.
 */
import { sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { Scope } from '../../api/token.ts'

export type ActorKind = 'token' | 'session' | 'node' | 'system'

export type Actor = {
  readonly kind: ActorKind
  readonly id: string
  readonly name: string
  /** With everything that a scope includes: admin includes write, write includes read. */
  readonly scopes: ReadonlySet<Scope>
  /** The only project that it reaches; null: all. */
  readonly projectId: string | null
  /** When what it proved itself with ends; null or absent: never by itself. */
  readonly expiresAt?: Date | null
}

const INCLUDED: Readonly<Record<Scope, readonly Scope[]>> = {
  read: ['read'],
  write: ['write', 'read'],
  admin: ['admin', 'write', 'read'],
}

/** The scopes with all that they include. */
export const withIncluded = (scopes: readonly Scope[]): ReadonlySet<Scope> =>
  new Set(scopes.flatMap(scope => INCLUDED[scope]))

/** The chores on the host, with the admin token of the state directory. */
export const SYSTEM_ADMIN: Actor = {
  kind: 'system',
  id: 'admin',
  name: 'this host',
  scopes: withIncluded(['admin']),
  projectId: null,
}

/** Whether things of this project are there for the actor; null is what belongs to no project. */
export const sees = (actor: Actor, projectId: string | null): boolean =>
  actor.projectId === null || actor.projectId === projectId

/** The condition for every query of rows that belong to projects. */
export const visibleTo = (actor: Actor, projectId: PgColumn) =>
  actor.projectId === null ? sql`true` : sql`${projectId} = ${actor.projectId}`
