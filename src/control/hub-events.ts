/** Events for people who look on: what comes together is told together, so that a storm of changes is a few hints. */
import type { Position } from './db/revision.ts'
import { type HubEvent, MAX_IDS } from './hub-notices.ts'

export type EventListener = (event: HubEvent) => void

type Gathered = { readonly ids: Set<string>; everything: boolean; revision: number | null }

/** What one event after the other adds up to. Pure but for what it holds. */
export function createGathering() {
  const gathered = new Map<string, Gathered & Pick<HubEvent, 'kind' | 'projectId'>>()
  /** Revisions of which nobody has said yet what they change. */
  const unnamed = new Set<number>()

  function add({ kind, ids, revision, projectId }: HubEvent): void {
    const key = `${kind} ${projectId ?? ''}`
    const entry = gathered.get(key) ?? { kind, projectId, ids: new Set<string>(), everything: false, revision: null }
    gathered.set(key, entry)
    if (ids.length === 0) entry.everything = true
    for (const id of ids) entry.ids.add(id)
    if (revision !== null) entry.revision = Math.max(revision, entry.revision ?? revision)
  }

  return {
    event(event: HubEvent): void {
      if (event.kind === 'change' && event.revision !== null) unnamed.delete(event.revision)
      add(event)
    },
    revision({ revision }: Position): void {
      unnamed.add(revision)
    },
    isEmpty: () => gathered.size === 0 && unnamed.size === 0,
    /** Everything so far, and begins anew. */
    take(): readonly HubEvent[] {
      if (unnamed.size > 0) add({ kind: 'change', ids: [], revision: Math.max(...unnamed), projectId: null })
      const events = [...gathered.values()].map(({ kind, ids, everything, revision, projectId }): HubEvent => {
        return { kind, ids: everything || ids.size > MAX_IDS ? [] : [...ids], revision, projectId }
      })
      gathered.clear()
      unnamed.clear()
      return events
    },
  }
}

export type Gathering = ReturnType<typeof createGathering>
