/**
 * What became of every route, kept true while things happen.
 *
 *   soon -> a moment -> again: verdicts and drift -> what is probed for them -> onJudged
 *
 * Several things happen to a body within a moment, and Traefik needs the processor then: so they are judged together. Whoever asks in
 * between is told what is true now.
 */
import { restartCost } from '../core/restart-cost.ts'
import { createProbing, type Probing, type ProbingOptions } from './probes/probing.ts'
import type { Sight } from './sight.ts'
import { createRestartWatch } from './traefik/restart-watch.ts'
import { createVerdicts, type Verdicts, type VerdictsOptions } from './verdicts.ts'

/** Until a body that was just served is judged. */
const JUDGE_AFTER_MS = 10
/** Traefik takes longer than that to apply so many, and judging them takes its time. */
const MANY_ROUTES = 1_000

export type JudgingOptions = Omit<VerdictsOptions, 'observation' | 'failedProbes' | 'restart'> &
  Pick<ProbingOptions, 'sources' | 'onResult' | 'clock' | 'logger'> & {
    readonly sight: Pick<Sight, 'observation' | 'openConnections'>
    /** Address of Traefik's API; null where there is none. */
    readonly api: string | null
    /** The verdicts may be others. */
    readonly onJudged: () => void
  }

export interface Judging {
  /** Whatever the verdicts rest upon may be other than it was. */
  again(): void
  /** The same, in a moment. */
  soon(): void
  /** There is a new body. Traefik may show it within milliseconds, and how long that took is known of what was judged to be on its way. */
  round(): void
  /** As they were judged last. */
  readonly verdicts: Verdicts
  /** As they are now. */
  readonly upToDate: Pick<Verdicts, 'all' | 'drift'>
  readonly probing: Probing
  stop(): void
}

export function createJudging(options: JudgingOptions): Judging {
  const { round, sight, sources, onResult, clock, logger } = options
  const restart = createRestartWatch({
    ask: async signal =>
      restartCost(await sight.openConnections(signal), sight.observation()?.reading?.entryPoints ?? [], options.api),
    onChange: again,
  })
  const verdicts = createVerdicts({
    ...options,
    observation: sight.observation,
    failedProbes: () => probing.failed(),
    restart,
  })
  const probing = createProbing({
    round,
    judged: verdicts.judged,
    observation: sight.observation,
    sources,
    onTurn: again,
    clock,
    logger,
    ...(onResult === undefined ? {} : { onResult }),
  })
  let timer: NodeJS.Timeout | null = null

  function again(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    verdicts.refresh()
    probing.refresh()
    options.onJudged()
  }

  function soon(): void {
    timer ??= setTimeout(again, JUDGE_AFTER_MS)
  }

  const upToDate = <T>(ask: () => T): T => {
    if (timer !== null) again()
    return ask()
  }

  return {
    again,
    soon,
    round() {
      if ((options.round()?.plan.compiled.outcomes.length ?? 0) > MANY_ROUTES) soon()
      else again()
    },
    verdicts,
    upToDate: { all: () => upToDate(verdicts.all), drift: () => upToDate(verdicts.drift) },
    probing,
    stop() {
      restart.stop()
      if (timer !== null) clearTimeout(timer)
    },
  }
}
