/**
 * Who does what a key means. A component says which command it takes while it is on the screen; the last that came is asked first, so a
 * drawer is asked before the page under it. Whoever answers false hands it on.
 *
 *   useCommand('edit', () => navigate(href.editPort(id, portId)))
 */
import { useEffect, useRef } from 'react'
import type { Command } from './keys.ts'

/** False: not now, ask the next. Whatever else is answered counts as taken. */
type Taker = () => unknown

const takers = new Map<Command, Taker[]>()

export function useCommand(command: Command, take: Taker): void {
  const latest = useRef(take)
  useEffect(() => {
    latest.current = take
  })
  useEffect(() => {
    const taker: Taker = () => latest.current()
    takers.set(command, [...(takers.get(command) ?? []), taker])
    return () => {
      takers.set(
        command,
        (takers.get(command) ?? []).filter(one => one !== taker),
      )
    }
  }, [command])
}

/** True when somebody took it. */
export function runCommand(command: Command): boolean {
  const asked = takers.get(command) ?? []
  for (let at = asked.length - 1; at >= 0; at--) if (asked[at]?.() !== false) return true
  return false
}
