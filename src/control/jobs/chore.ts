/** A change that nobody asked for but the time: made as any other, with its audit row. */
import { type Actor, withIncluded } from '../access/actor.ts'
import { makeId } from '../db/id.ts'
import type { ControlDeps } from '../deps.ts'
import { type Mutation, mutate } from '../http/write.ts'

const CHORES: Actor = {
  kind: 'system',
  id: 'jobs',
  name: 'the control plane',
  scopes: withIncluded([]),
  projectId: null,
}

/** Resolves with how many things were changed. With 0, nothing may have been written. */
export async function chore(deps: ControlDeps, work: (mutation: Mutation) => Promise<number>): Promise<number> {
  let changed = 0
  const requestId = makeId('req', { now: deps.clock.now })
  await mutate(deps, { actor: CHORES, requestId }, async mutation => {
    changed = await work(mutation)
    return { status: 200, body: null, unchanged: changed === 0 }
  })
  return changed
}
