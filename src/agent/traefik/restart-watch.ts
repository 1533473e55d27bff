/** While a route waits for an entry point: what a restart of Traefik would cut, asked now and again. */
import type { RestartCost } from '../../core/restart-cost.ts'

export type RestartWatch = {
  /** Whether somebody wants to know. */
  readonly want: (wanted: boolean) => void
  /** Null: nobody wants to know, or it has not been asked yet. */
  readonly cost: () => RestartCost | null
  readonly stop: () => void
}

export type RestartWatchOptions = {
  readonly ask: (signal: AbortSignal) => Promise<RestartCost>
  /** The answer is another one. */
  readonly onChange: () => void
  readonly intervalMs?: number
}

/** Each other answer is told to the control plane, and on a busy node every one is another. */
const INTERVAL_MS = 30_000
const PATIENCE_MS = 2_000
const NOT_KNOWN: RestartCost = { openConnections: null }

export function createRestartWatch({ ask, onChange, intervalMs = INTERVAL_MS }: RestartWatchOptions): RestartWatch {
  let wanted = false
  let cost: RestartCost | null = null
  let timer: NodeJS.Timeout | null = null
  /** Of the wish: an answer to an earlier one is not taken. */
  let turn = 0

  async function look(mine: number): Promise<void> {
    const found = await ask(AbortSignal.timeout(PATIENCE_MS)).catch(() => NOT_KNOWN)
    if (mine !== turn) return
    timer = setTimeout(() => void look(mine), intervalMs)
    timer.unref()
    if (found.openConnections === cost?.openConnections) return
    cost = found
    onChange()
  }

  function end(): void {
    turn += 1
    if (timer !== null) clearTimeout(timer)
    timer = null
    cost = null
  }

  return {
    want(next) {
      if (next === wanted) return
      wanted = next
      end()
      if (wanted) void look(turn)
    },
    cost: () => cost,
    stop() {
      wanted = true
      end()
    },
  }
}
