/**
 * Which node signed a request.
 *
 *   headers -> in time? -> the node, whoever it is -> its signature? -> still welcome? -> (POST) later than the last one?
 *
 * Nothing is told of an id before the signature was that node's own: an unknown id and a wrong key get one answer, after the same work.
 */
import { sql } from 'drizzle-orm'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../access/actor.ts'
import type { Database } from '../db/client.ts'
import type { ControlDeps } from '../deps.ts'
import { ApiError } from '../http/api-error.ts'
import { headerValues } from '../http/headers.ts'
import { createNodeReader, type NodeRow, type NodeView } from './node-reader.ts'
import { createVerifier, readSignedRequest, SIGNATURE_WINDOW_MS, type SignedRequest } from './signature.ts'

/** What authentication has read of the node, for the handler of the request. */
const views = new WeakMap<FastifyRequest, NodeView & { readonly node: NodeRow }>()

/** Of a request on a route of nodes. */
export function nodeViewOf(request: FastifyRequest): NodeView & { readonly node: NodeRow } {
  const view = views.get(request)
  if (view === undefined) throw new Error('the request is not one of a node')
  return view
}

const refused = (
  code: 'SIGNATURE_INVALID' | 'CLOCK_SKEW' | 'TIMESTAMP_REUSED' | 'NODE_REVOKED' | 'NODE_RETIRED',
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
): ApiError => new ApiError(code, detail, { extra, headers: { 'www-authenticate': 'Fairlead-Signature' } })

function checkClock({ timestampMs }: SignedRequest, nowMs: number): void {
  const apartMs = timestampMs - nowMs
  if (Math.abs(apartMs) <= SIGNATURE_WINDOW_MS) return
  const yours = new Date(timestampMs).toISOString()
  const ours = new Date(nowMs).toISOString()
  throw refused(
    'CLOCK_SKEW',
    `the request says it is ${yours}, and here it is ${ours}: ${Math.round(Math.abs(apartMs) / 1000)} s ${apartMs > 0 ? 'behind' : 'later'}`,
    { requestTime: yours, serverTime: ours, windowSeconds: SIGNATURE_WINDOW_MS / 1000 },
  )
}

/** Throws unless the node may be told, and may tell, anything. Only for whoever has proved to be it. */
export function checkWelcome(node: NodeRow): void {
  if (node.isRevoked) throw refused('NODE_REVOKED', `the key of node ${node.name} was revoked`)
  if (node.status === 'retired') throw refused('NODE_RETIRED', `node ${node.name} was retired`)
}

/** Takes the timestamp of a POST, if it is above the last one; it also counts as a sign of life. */
async function takeTimestamp(
  database: Pick<Database, 'transaction'>,
  node: NodeRow,
  timestampMs: number,
): Promise<void> {
  const { rowCount } = await database.transaction(tx =>
    tx.execute(sql`
      update nodes set last_post_timestamp = ${timestampMs}, last_seen_at = now()
      where id = ${node.id} and public_key = ${node.publicKey} and last_post_timestamp < ${timestampMs}
        and revoked_at is null and status <> 'retired'`),
  )
  if (rowCount !== 1)
    throw refused('TIMESTAMP_REUSED', `the timestamp ${timestampMs} is not above that of the last request of this node`)
}

const NO_BODY = Buffer.alloc(0)

/** For the hook before the handler of each route of nodes. Throws an ApiError (401). */
export function createAuthenticateNode({
  database,
  clock,
  hub,
}: Pick<ControlDeps, 'database' | 'clock' | 'hub'>): (request: FastifyRequest) => Promise<Actor> {
  const reader = createNodeReader(database, hub)
  const isSigned = createVerifier()
  return async request => {
    const signed = readSignedRequest({
      method: request.method,
      // Not `request.url`: what was signed is the request line as it came.
      pathAndQuery: request.raw.url ?? '',
      body: request.rawBody ?? NO_BODY,
      header: name => headerValues(request.raw, name),
    })
    if (signed === null)
      throw refused(
        'SIGNATURE_INVALID',
        'x-server-id, x-timestamp and x-signature are not there, or not what they should be',
      )
    checkClock(signed, clock.now())
    const view = await reader.read(signed.serverId)
    const { node } = view
    if (!isSigned(signed, node?.publicKey ?? null) || node === null)
      throw refused('SIGNATURE_INVALID', 'the signature is not that of a node that is known here')
    checkWelcome(node)
    if (request.method !== 'GET' && request.method !== 'HEAD') await takeTimestamp(database, node, signed.timestampMs)
    views.set(request, { ...view, node })
    return { kind: 'node', id: node.id, name: node.name, scopes: new Set(), projectId: null }
  }
}
