/** When a number that rests is free again. Pure. */
import type { PoolPort } from '../../../api/pool.ts'
import { listed } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import { leftWords } from '../../words/time.ts'

/** As far as it can be known: its least time, the nodes that may still send old clients there. `now`: milliseconds since 1970. */
export function restWords(restsUntil: string | null, blockedBy: PoolPort['blockedBy'], now: number): string {
  const left = restsUntil === null ? 0 : Date.parse(restsUntil) - now
  const names = (nodes: PoolPort['blockedBy']): string => listed(nodes.map(({ nodeName }) => withMarks(nodeName)))
  const has = (nodes: PoolPort['blockedBy'], one: string, many: string): string => (nodes.length === 1 ? one : many)
  if (blockedBy.length === 0) return left > 0 ? `Free in ${leftWords(left)}.` : 'Free at the next look.'
  const waits = `it waits until ${names(blockedBy)} ${has(blockedBy, 'has', 'have')} let go of the old route.`
  const first =
    left > 0
      ? `Not free before ${leftWords(left)} are over; ${waits}`
      : `${waits.charAt(0).toUpperCase()}${waits.slice(1)}`
  const lost = blockedBy.filter(({ status }) => status === 'lost')
  if (lost.length === 0) return first
  return `${first} ${names(lost)} ${has(lost, 'is', 'are')} lost: bring ${has(lost, 'it', 'them')} back, or retire ${has(lost, 'it', 'them')}.`
}
