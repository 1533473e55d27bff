/** What an admin does to a node: another name, no more trust, an accepted loss, an end. Each is audited. */
import { sql } from 'drizzle-orm'
import type { Node, Retirement } from '../../api/node.ts'
import type { ControlConfig } from '../config.ts'
import { ApiError } from '../http/api-error.ts'
import type { Mutation } from '../http/write.ts'
import { announce, wakeNodes } from '../hub.ts'
import { judgeRest } from '../ports/rest.ts'
import { readNodes, readResting } from '../ports/rows.ts'
import { lengthOf } from '../routes/verdict.ts'
import { type NodeDetails, readNode, showNode } from './view.ts'

/** For the audit log: what people decide about a node, without what it says of itself. */
const recordOf = ({ name, status, revokedAt, retiredAt, acceptedHash }: NodeDetails) => ({
  name,
  status,
  revokedAt: revokedAt?.toISOString() ?? null,
  retiredAt: retiredAt?.toISOString() ?? null,
  acceptedHash,
})

type Act = 'rename' | 'revoke' | 'accept' | 'retire'

/** Writes the columns, and one audit row; the node is shown as it is then. */
async function change(m: Mutation, before: NodeDetails, act: Act, set: ReturnType<typeof sql>): Promise<Node> {
  const { id } = before
  await m.tx.execute(sql`update nodes set ${set}, version = version + 1 where id = ${id}`)
  const after = await readNode(m.tx, id)
  await m.audit({
    action: `node.${act}`,
    resourceKind: 'node',
    resourceId: id,
    before: recordOf(before),
    after: recordOf(after),
  })
  await announce(m.tx, { kind: 'node', ids: [id], revision: null, projectId: null })
  // Its document is another one, or it is to be told no more.
  await wakeNodes(m.tx, [id])
  return showNode(m.tx, id)
}

/** The row is locked: what is decided here is decided on what is. */
async function lockNode(m: Mutation, id: string): Promise<NodeDetails> {
  await m.tx.execute(sql`select id from nodes where id = ${id} for update`)
  const node = await readNode(m.tx, id)
  m.match(node.version)
  return node
}

export type Acted = { readonly node: Node; readonly unchanged: boolean }

const asItIs = async (m: Mutation, id: string): Promise<Acted> => ({ node: await showNode(m.tx, id), unchanged: true })

export async function renameNode(m: Mutation, id: string, name: string): Promise<Acted> {
  const node = await lockNode(m, id)
  if (node.name === name) return asItIs(m, id)
  const { rowCount } = await m.tx.execute(
    sql`select 1 from nodes where name = ${name} and status <> 'retired' and id <> ${id}`,
  )
  if ((rowCount ?? 0) > 0 && node.status !== 'retired')
    throw new ApiError('NODE_NAME_TAKEN', `there is a node ${name} already`)
  return { node: await change(m, node, 'rename', sql`name = ${name}`), unchanged: false }
}

/** Its key is taken no more. It serves on what it has, and counts as before: whoever wants that to end retires it. */
export async function revokeNode(m: Mutation, id: string): Promise<Acted> {
  const node = await lockNode(m, id)
  if (node.revokedAt !== null) return asItIs(m, id)
  return { node: await change(m, node, 'revoke', sql`revoked_at = now()`), unchanged: false }
}

/** Accepts the removals that the node holds back, if they are those of this hash. */
export async function acceptHeld(m: Mutation, id: string, hash: string): Promise<Acted> {
  const node = await lockNode(m, id)
  const held = node.head?.held ?? null
  if (held === null || held.hash !== hash) {
    const found = held === null ? 'no state' : `the state ${held.hash}`
    throw new ApiError('HELD_STATE_OTHER', `node ${node.name} holds back ${found}, not ${hash}`, {
      extra: { held: held === null ? null : { hash: held.hash, removals: held.removals.length } },
    })
  }
  if (node.acceptedHash === hash) return asItIs(m, id)
  return { node: await change(m, node, 'accept', sql`accepted_hash = ${hash}`), unchanged: false }
}

/** Numbers, and host names on shared ones, that rest for this node alone. */
async function restingFor(
  m: Mutation,
  id: string,
  { leastTimeMs }: ControlConfig['release'],
): Promise<Retirement['freedPorts']> {
  const nodes = await readNodes(m.tx)
  const resting = await readResting(m.tx)
  return resting
    .filter(claim => {
      const { blockedBy } = judgeRest(claim, nodes, { leastTimeMs })
      return blockedBy.length > 0 && blockedBy.every(node => node.id === id)
    })
    .map(({ protocol, port, host }) => ({ protocol, port, host }))
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

/** What may go wrong when the node is counted no more, in sentences. */
export function retirementRisks(node: Node, quietMs: number | null, freed: number): string[] {
  const { name, openConnections } = node
  const risks: string[] = []
  if (quietMs === null) risks.push(`${name} has never reported: nobody knows whether it serves anything.`)
  else if (node.silent)
    risks.push(`${name} has said nothing for ${lengthOf(quietMs)}; if it still runs, it serves on what it had then.`)
  else
    risks.push(
      `${name} reported ${lengthOf(quietMs)} ago: it is alive, and serves on what it has until its agent is stopped.`,
    )
  if (openConnections > 0)
    risks.push(`${counted(openConnections, 'connection was', 'connections were')} open there; they stay open.`)
  if (freed > 0)
    risks.push(
      `${counted(freed, 'released port rests', 'released ports rest')} for ${name} alone and may go to others at once: whoever still reaches ${name} would find the old service behind ${freed === 1 ? 'it' : 'them'}.`,
    )
  return risks
}

/** The node counts no more, for ever. */
export async function retireNode(
  m: Mutation,
  id: string,
  confirm: string,
  release: ControlConfig['release'],
): Promise<Retirement & { readonly unchanged: boolean }> {
  const before = await lockNode(m, id)
  const { node: shown } = await asItIs(m, id)
  if (before.status === 'retired') return { node: shown, risks: [], freedPorts: [], unchanged: true }
  const freedPorts = await restingFor(m, id, release)
  const risks = retirementRisks(shown, before.quietMs, freedPorts.length)
  if (confirm !== before.name)
    throw new ApiError('BODY_INVALID', `the body is to confirm the name of the node`, {
      remedy: `Send {"confirm": "${before.name}"} when you have read this: ${risks.join(' ')}`,
      fields: [{ field: 'confirm', code: 'NAME_OTHER', message: `is not ${before.name}`, value: confirm.slice(0, 80) }],
      extra: { risks, freedPorts },
    })
  await m.tx.execute(sql`delete from node_verdicts where node_id = ${id}`)
  const set = sql`status = 'retired', retired_at = now(), revoked_at = coalesce(revoked_at, now()), accepted_hash = null`
  return { node: await change(m, before, 'retire', set), risks, freedPorts, unchanged: false }
}

/** Only a retired one, with all that it ever said. */
export async function deleteNode(m: Mutation, id: string): Promise<void> {
  const node = await lockNode(m, id)
  if (node.status !== 'retired') throw new ApiError('NODE_NOT_RETIRED', `node ${node.name} is ${node.status}`)
  await m.tx.execute(sql`delete from nodes where id = ${id}`)
  await m.audit({ action: 'node.delete', resourceKind: 'node', resourceId: id, before: recordOf(node) })
  await announce(m.tx, { kind: 'node', ids: [id], revision: null, projectId: null })
}
