/**
 * What is known of the nodes that ask at this moment: one query for all of them, however many.
 *
 * While it is on its way, those who come later gather for the next one. So a thousand agents that come back at once are a few queries,
 * and they never take more than one connection of the pool.
 */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Database } from '../db/client.ts'
import type { Position } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'

const position = z.object({ epoch: z.number(), revision: z.number() })

const nodeRow = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'lost', 'retired']),
  publicKey: z.string(),
  isRevoked: z.boolean(),
  acceptedHash: z.string().nullable(),
  /** It was never told anything older than this. */
  enrolled: position,
  applied: position.nullable(),
})

/** A wish of a person to have a route probed now. */
const probeWish = z.object({ id: z.string(), requestId: z.string() })

const answerRow = z.object({ position, probes: z.array(probeWish), nodes: z.array(nodeRow) })

export type NodeRow = z.infer<typeof nodeRow>
export type ProbeWish = z.infer<typeof probeWish>

/** A node, and what belongs to the same moment. */
export type NodeView = {
  /** Null: there is none with this id. */
  readonly node: NodeRow | null
  readonly position: Position
  readonly probes: readonly ProbeWish[]
  /** Of the hub, from before it was read: a wake after these says that there may be more. */
  readonly wakes: number
}

async function readNodes(tx: Tx, ids: readonly string[]): Promise<z.infer<typeof answerRow>> {
  const { rows } = await tx.execute(sql`
    select json_build_object(
      'position', (select json_build_object('epoch', epoch, 'revision', revision) from revisions where id = 1),
      'probes', (
        select coalesce(json_agg(json_build_object('id', route_id, 'requestId', id) order by id), '[]')
        from probe_requests where expires_at > now()),
      'nodes', (
        select coalesce(json_agg(json_build_object(
          'id', id, 'name', name, 'status', status, 'publicKey', public_key, 'isRevoked', revoked_at is not null,
          'acceptedHash', accepted_hash,
          'enrolled', json_build_object('epoch', enrolled_epoch, 'revision', enrolled_revision),
          'applied', case when applied_epoch is null then null
            else json_build_object('epoch', applied_epoch, 'revision', applied_revision) end)), '[]')
        from nodes where id = any(${sql.param([...ids])}::text[]))
    )::text as answer`)
  return answerRow.parse(JSON.parse(z.string().parse(rows[0]?.answer)))
}

export type NodeReader = {
  /** As it is after this call. Rejects with a DatabaseError. */
  read(id: string): Promise<NodeView>
}

type Asking = {
  readonly id: string
  readonly resolve: (view: NodeView) => void
  readonly reject: (error: unknown) => void
}

export function createNodeReader(database: Pick<Database, 'transaction'>, hub: Pick<Hub, 'saw' | 'wakes'>): NodeReader {
  let asking: Asking[] = []
  let busy = false

  async function run(): Promise<void> {
    // All who come in this turn of the loop come along.
    await new Promise(resolve => setImmediate(resolve))
    while (asking.length > 0) {
      const batch = asking
      asking = []
      try {
        const wakes = hub.wakes()
        const ids = new Set(batch.map(({ id }) => id))
        const { position, probes, nodes } = await database.transaction(tx => readNodes(tx, [...ids]), {
          readOnly: true,
        })
        const byId = new Map(nodes.map(node => [node.id, node]))
        hub.saw(position)
        for (const { id, resolve } of batch) resolve({ node: byId.get(id) ?? null, position, probes, wakes })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    busy = false
  }

  return {
    read: id =>
      new Promise((resolve, reject) => {
        asking.push({ id, resolve, reject })
        if (busy) return
        busy = true
        void run()
      }),
  }
}
