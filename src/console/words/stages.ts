/** How long a change took, stage by stage, as the node and the control plane measured it. Pure. */
import type { StepName } from '../../core/explain.ts'

type Timings = Readonly<Record<string, number>>

/**
 * Milliseconds from the moment it was saved until each link of the chain was there; a link of which nobody measured is left out.
 * The node counts from when it read the change (`live`: all of it); what is left of `savedToLive` went by on the way to the node.
 */
export function sinceSaved(timings: Timings): ReadonlyMap<StepName, number> {
  const { savedToLive, live, compile, serve = 0, fetch = 0 } = timings
  const times = new Map<StepName, number>()
  if (savedToLive === undefined) return times
  times.set('applied', savedToLive)
  if (live === undefined || compile === undefined) return times
  const read = Math.max(0, savedToLive - live)
  times.set('expected', read)
  times.set('compiled', Math.min(savedToLive, read + compile))
  times.set('served', Math.min(savedToLive, read + compile + serve + fetch))
  return times
}

const WORDS: Readonly<Record<string, string>> = {
  compile: 'Compiled in',
  serve: 'Written and served in',
  fetch: 'Fetched after',
  apply: 'Applied after',
  live: 'On the node, in all',
  savedToLive: 'Saved to live',
}

/** In the order in which they went by; one that this version does not know stands as it is. */
export function stageLines(timings: Timings): readonly { readonly words: string; readonly ms: number }[] {
  const known = Object.keys(WORDS).filter(stage => timings[stage] !== undefined)
  const others = Object.keys(timings).filter(stage => !Object.hasOwn(WORDS, stage))
  return [...known, ...others].map(stage => ({ words: WORDS[stage] ?? stage, ms: timings[stage] ?? 0 }))
}
