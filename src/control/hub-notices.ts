/**
 * What control planes on one database say to each other: small hints, sent with the commit of what they are about.
 *
 *   announce(tx, { kind: 'change', ids: [service.id], revision, projectId })   -> everybody who subscribed, in every process
 *   wakeNodes(tx, [node.id])                                                   -> the held polls of these nodes look again
 *
 * `beginChange` sends the revision by itself.
 */
import { z } from 'zod'
import { notify } from './db/listen.ts'
import type { Tx } from './db/transaction.ts'

/** Something may be other than it was; who wants to know what, reads. */
export type HubEvent = {
  readonly kind: 'change' | 'verdict' | 'node'
  /** Ids of services, ports, projects, nodes; empty: it may be anything. */
  readonly ids: readonly string[]
  /** The newest one that is known here; null while there is none. */
  readonly revision: number | null
  /** The project that it belongs to; null: no single one. */
  readonly projectId: string | null
}

/** More than these say nothing more: whoever listens reads everything again. It keeps a notice far below the 8000 bytes that fit. */
export const MAX_IDS = 50

const ids = z.array(z.string()).max(MAX_IDS).readonly()

const noticeWire = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('revision'), epoch: z.number(), revision: z.number() }),
  z.object({ kind: z.literal('wake'), ids }),
  z.object({
    kind: z.enum(['change', 'verdict', 'node']),
    ids,
    revision: z.number().nullable(),
    projectId: z.string().nullable(),
  }),
])

export type Notice = z.infer<typeof noticeWire>

/** Null for what is not one: another version of the control plane may be on the same database. */
export function parseNotice(payload: string): Notice | null {
  let raw: unknown
  try {
    raw = JSON.parse(payload)
  } catch {
    return null
  }
  return noticeWire.safeParse(raw).data ?? null
}

/** Tells everybody who subscribed, once this transaction is committed. */
export async function announce(tx: Tx, event: HubEvent): Promise<void> {
  const notice: Notice = { ...event, ids: event.ids.length > MAX_IDS ? [] : event.ids }
  await notify(tx, notice)
}

/** The held polls of these nodes look again whether there is something for them, once this transaction is committed. Empty: of all nodes. */
export async function wakeNodes(tx: Tx, nodeIds: readonly string[]): Promise<void> {
  const notice: Notice = { kind: 'wake', ids: nodeIds.length > MAX_IDS ? [] : nodeIds }
  await notify(tx, notice)
}
