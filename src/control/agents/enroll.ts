/**
 * How nodes come in: a token of an admin, used once, and the public half of a key that the node has made.
 *
 * A name belongs to one node that is not retired. A revoked node gets a new key by a token that is made for its name: it is the same node
 * then, with its id and with what it has acknowledged, so that whatever rests for it goes on resting until it acknowledges under the new key.
 * Where another machine takes over instead, the old node has to be retired first, which says what that risks.
 */
import { eq, sql } from 'drizzle-orm'
import type { Enrolled, EnrollInput, EnrollmentTokenInput } from '../../api/enrollment.ts'
import { hashSecret, makeSecret } from '../access/secret.ts'
import { makeId } from '../db/id.ts'
import { readPosition } from '../db/revision.ts'
import { enrollmentTokens, nodes } from '../db/schema-nodes.ts'
import type { Tx } from '../db/transaction.ts'
import { ApiError } from '../http/api-error.ts'
import type { Mutation } from '../http/write.ts'
import { announce } from '../hub.ts'
import { publicKeyOf } from './signature.ts'

const TOKEN = /^fle_[A-Za-z0-9_-]{43}$/

export const makeEnrollmentToken = (): string => `fle_${makeSecret()}`

type NodeOfName = { readonly id: string; readonly status: 'active' | 'lost'; readonly revokedAt: Date | null }

/** The node that has the name, held until the end of the transaction. */
async function nodeOfName(tx: Tx, name: string): Promise<NodeOfName | null> {
  const [row] = await tx
    .select({ id: nodes.id, status: nodes.status, revokedAt: nodes.revokedAt })
    .from(nodes)
    .where(sql`${nodes.name} = ${name} and ${nodes.status} <> 'retired'`)
    .for('update')
  return row === undefined || row.status === 'retired' ? null : { ...row, status: row.status }
}

const nameTaken = (name: string, remedy?: string): ApiError =>
  new ApiError('NODE_NAME_TAKEN', `there is a node ${name} already`, {
    fields: [{ field: 'name', code: 'taken', message: `there is a node ${name} already`, value: name }],
    ...(remedy === undefined ? {} : { remedy }),
  })

export type CreatedToken = { readonly id: string; readonly expiresAt: Date }

/** Writes a token that was made by `makeEnrollmentToken`. Throws NODE_NAME_TAKEN for a name under which nobody could enrol. */
export async function createEnrollmentToken(
  mutation: Pick<Mutation, 'tx' | 'actor' | 'audit'>,
  { nodeName = null, ttlSeconds }: EnrollmentTokenInput,
  token: string,
): Promise<CreatedToken> {
  const { tx, actor } = mutation
  const name = nodeName
  if (name !== null) {
    const node = await nodeOfName(tx, name)
    if (node !== null && node.revokedAt === null) throw nameTaken(name)
  }
  const [row] = await tx
    .insert(enrollmentTokens)
    .values({
      id: makeId('enr'),
      tokenHash: hashSecret(token),
      nodeName: name,
      createdBy: actor.id,
      expiresAt: sql`now() + ${ttlSeconds} * interval '1 second'`,
    })
    .returning({ id: enrollmentTokens.id, expiresAt: enrollmentTokens.expiresAt })
  if (row === undefined) throw new Error('the table of tokens took no row')
  await mutation.audit({
    action: 'enrollment-token.create',
    resourceKind: 'enrollment-token',
    resourceId: row.id,
    after: { nodeName: name, expiresAt: row.expiresAt.toISOString() },
  })
  return row
}

type UsedToken = { readonly id: string; readonly nodeName: string | null }

/** Uses the token up; undone with the transaction. */
async function consume(tx: Tx, token: string): Promise<UsedToken> {
  const invalid = (detail: string) => new ApiError('ENROLLMENT_TOKEN_INVALID', detail)
  if (!TOKEN.test(token)) throw invalid('this is no enrolment token')
  const hash = hashSecret(token)
  const [used] = await tx
    .update(enrollmentTokens)
    .set({ usedAt: sql`now()` })
    .where(
      sql`${enrollmentTokens.tokenHash} = ${hash} and ${enrollmentTokens.usedAt} is null and ${enrollmentTokens.expiresAt} > now()`,
    )
    .returning({ id: enrollmentTokens.id, nodeName: enrollmentTokens.nodeName })
  if (used !== undefined) return used
  const [row] = await tx.select().from(enrollmentTokens).where(eq(enrollmentTokens.tokenHash, hash))
  if (row === undefined) throw invalid('the enrolment token is not one of ours')
  throw invalid(
    row.usedAt === null
      ? `the enrolment token expired at ${row.expiresAt.toISOString()}`
      : `the enrolment token was used at ${row.usedAt.toISOString()}`,
  )
}

/**
 * Who came in with this very token, key and name: the answer was lost on its way, and the same machine asks again. Null: nobody has. What
 * was enrolled otherwise, has another key by now, or is no longer trusted, is not told.
 */
async function enrolledWith(
  tx: Tx,
  { token, publicKey, name }: Pick<EnrollInput, 'token' | 'publicKey' | 'name'>,
): Promise<string | null> {
  const [node] = await tx
    .select({ id: nodes.id })
    .from(enrollmentTokens)
    .innerJoin(nodes, eq(nodes.id, enrollmentTokens.usedBy))
    .where(
      sql`${enrollmentTokens.tokenHash} = ${hashSecret(token)} and ${enrollmentTokens.expiresAt} > now()
        and ${nodes.publicKey} = ${publicKey} and ${nodes.name} = ${name}
        and ${nodes.revokedAt} is null and ${nodes.status} <> 'retired'`,
    )
  return node?.id ?? null
}

export type EnrollContext = {
  readonly controlPlaneId: string
  /** Of the node, should it be a new one. */
  readonly nodeId: string
}

/**
 * Makes the node, or gives a revoked one its new key. Throws an ApiError; the token is as unused as before then. Asked again with the same
 * token, key and name it answers as before and changes nothing (`unchanged`).
 */
export async function enroll(
  mutation: Pick<Mutation, 'tx' | 'audit'>,
  { token, publicKey, name, version }: EnrollInput,
  { controlPlaneId, nodeId }: EnrollContext,
): Promise<{ readonly enrolled: Enrolled; readonly unchanged: boolean }> {
  const { tx } = mutation
  checkKey(publicKey)
  const again = await enrolledWith(tx, { token, publicKey, name })
  if (again !== null) {
    const { epoch } = await readPosition(tx)
    return { enrolled: { serverId: again, controlPlaneId, epoch }, unchanged: true }
  }
  const used = await consume(tx, token)
  if (used.nodeName !== null && used.nodeName !== name)
    throw new ApiError('NODE_NAME_OTHER', `the token is for node ${used.nodeName}, and this is ${name}`)
  const [owner] = await tx.select({ id: nodes.id }).from(nodes).where(eq(nodes.publicKey, publicKey))
  if (owner !== undefined) throw new ApiError('NODE_KEY_TAKEN', 'another node has this key')

  const before = await nodeOfName(tx, name)
  const { epoch, revision } = await readPosition(tx)
  let serverId = nodeId
  if (before === null) {
    const made = await tx
      .insert(nodes)
      .values({
        id: nodeId,
        name,
        publicKey,
        enrolledEpoch: epoch,
        enrolledRevision: revision,
        agentVersion: version,
        lastSeenAt: sql`now()`,
      })
      .onConflictDoNothing()
      .returning({ id: nodes.id })
    // Somebody else took the name, or the key, at the same moment.
    if (made.length === 0) throw nameTaken(name)
  } else {
    if (before.revokedAt === null) throw nameTaken(name)
    if (used.nodeName === null)
      throw nameTaken(
        name,
        `Its key was revoked. To give it a new one, make a token for the name ${name}; if another machine takes over, retire the node first.`,
      )
    serverId = before.id
    await tx
      .update(nodes)
      .set({
        publicKey,
        status: 'active',
        revokedAt: null,
        lastPostTimestamp: 0,
        lastSeenAt: sql`now()`,
        agentVersion: version,
        version: sql`${nodes.version} + 1`,
      })
      .where(eq(nodes.id, serverId))
  }
  await tx.update(enrollmentTokens).set({ usedBy: serverId }).where(eq(enrollmentTokens.id, used.id))
  await announce(tx, { kind: 'node', ids: [serverId], revision, projectId: null })
  await mutation.audit({
    action: before === null ? 'node.enroll' : 'node.enroll-again',
    resourceKind: 'node',
    resourceId: serverId,
    after: { name, publicKey, agentVersion: version, enrollmentToken: used.id },
  })
  return { enrolled: { serverId, controlPlaneId, epoch }, unchanged: false }
}

function checkKey(publicKey: string): void {
  try {
    publicKeyOf(publicKey)
  } catch (cause) {
    throw new ApiError('BODY_INVALID', 'publicKey is not an Ed25519 key', {
      cause,
      fields: [{ field: 'publicKey', code: 'custom', message: 'is not an Ed25519 key' }],
    })
  }
}
