/**
 * The body that is served now, on its way to Traefik.
 *
 *   serve -> published -> fetched (poll) -> in doubt, while its client has not shown that it took it -> beacon seen
 *
 * It says how far the body has come, and decides nothing: what is served next is the publication's business.
 */
import { type AckFacts, applyDeadlineMs } from '../core/acknowledge.ts'
import type { Snapshot } from '../core/payload.ts'
import { type Applied, type Bodies, type Body, isReadable, makeBodies } from './bodies.ts'
import { type Moments, makePassage, type Stages } from './passage.ts'
import { makeFetches } from './provider/fetches.ts'
import type { ProviderStats } from './provider/provider.ts'
import type { Observation } from './traefik/observer.ts'

export type DeliveryOptions = {
  readonly publish: (snapshot: Snapshot) => void
  /** Answers the polls that are held with what is served now. */
  readonly answerPolls: () => void
  /** Null: there is no API, and nothing can be concluded. */
  readonly observation: () => Observation | null
  readonly provider: () => Pick<ProviderStats, 'held' | 'pollGapMs'>
  /** Instead of what `applyDeadlineMs` makes of how long an apply may take. */
  readonly deadlineMs?: number
}

export type DeliveryView = {
  /** What Traefik gets now. */
  readonly current: Snapshot | null
  /** Traefik has fetched it. */
  readonly polled: boolean
  /** What the Traefik that runs now was last seen to have applied. */
  readonly applied: Applied | null
  /** Of `current`. */
  readonly moments: Moments
}

export interface Delivery extends Pick<Bodies, 'restore' | 'lastGood' | 'usable' | 'had'> {
  /** @param seen a run before this one may have handed it out already */
  serve(body: Body, seen: boolean): void
  current(): Body | null
  /** A Traefik has fetched the body with this hash, at so many milliseconds since 1970. */
  fetched(hash: string, atMs: number, connectionId: number): void
  /** It asks again, so long after its last answer began. */
  askedAgain(connectionId: number, sinceAnswerMs: number): void
  gone(connectionId: number): void
  /** What Traefik had is gone from it: its poll is answered, and what it shows then is judged anew. */
  sendAgain(): void
  /** Traefik was looked at, well or not. */
  observed(): void
  /** Another Traefik process, since so many milliseconds since 1970: it begins with nothing. */
  restarted(startedAtMs: number): void
  /** How far the body has come. */
  facts(): Pick<AckFacts, 'readable' | 'beacon' | 'fetched' | 'doubtedForMs' | 'deadlineMs'>
  /** Traefik was seen to have it. */
  isApplied(): boolean
  /** Milliseconds until it should be applied; null while nothing can be said, since nobody has fetched it or Traefik cannot be read. */
  dueInMs(): number | null
  /** How long each stage took since the change was told, by the clock that never jumps; null when nobody saw it fetched and applied. */
  stages(toldAtMs: number): Stages | null
  view(): DeliveryView
}

export function createDelivery({
  publish,
  answerPolls,
  observation,
  provider,
  deadlineMs: given,
}: DeliveryOptions): Delivery {
  let current: Body | null = null
  /** `at` in milliseconds since 1970. */
  let lastFetch: { readonly hash: string; readonly at: number } | null = null
  /** Traefik has been seen to wait for the answers of its polls. */
  let holds = false
  const bodies = makeBodies(observation)
  const fetches = makeFetches()
  const passage = makePassage()

  const isCurrent = (hash: string | undefined): boolean => current !== null && current.snapshot.hash === hash

  /** Which of our bodies Traefik has. */
  function recognise(): void {
    if (isCurrent(bodies.recognise()?.snapshot.hash)) passage.applied()
  }

  function deadlineMs(): number {
    const { pollGapMs } = provider()
    return (
      given ??
      applyDeadlineMs({
        lastApplyMs: observation()?.lastApplyMs ?? null,
        bodyBytes: current?.snapshot.body.length ?? 0,
        pollGapMs,
        held: holds,
      })
    )
  }

  const doubtSinceMs = (): number | null => fetches.doubtSinceMs(bodies.usable() === null, performance.now())

  /** For how long Traefik has had the body and the time to apply it; null when no look has shown yet what became of it. */
  function doubtedForMs({ lookedAtMs, answersSinceMs }: Observation): number | null {
    const sinceMs = doubtSinceMs()
    if (sinceMs === null || lookedAtMs === null || lookedAtMs < sinceMs) return null
    return Math.max(lookedAtMs - Math.max(sinceMs, answersSinceMs ?? lookedAtMs), 0)
  }

  function isFetched({ lookedAtMs }: Observation): boolean {
    const sinceMs = fetches.sinceMs()
    return sinceMs !== null && lookedAtMs !== null && lookedAtMs >= sinceMs
  }

  return {
    restore: bodies.restore,
    lastGood: bodies.lastGood,
    usable: bodies.usable,
    had: bodies.had,
    serve(body, seen) {
      const { hash } = body.snapshot
      const isNew = !isCurrent(hash)
      current = body
      bodies.serve(body)
      if (!isNew) return
      fetches.offered(hash, seen)
      passage.offered()
      if (provider().held > 0) holds = true
      publish(body.snapshot)
    },
    current: () => current,
    fetched(hash, atMs, connectionId) {
      lastFetch = { hash, at: atMs }
      fetches.fetched(hash, connectionId, performance.now())
      if (isCurrent(hash)) passage.fetched()
    },
    askedAgain: fetches.askedAgain,
    gone: fetches.closed,
    sendAgain() {
      fetches.forget()
      passage.anew()
      bodies.doubt()
      answerPolls()
    },
    observed() {
      if (provider().held > 0) holds = true
      recognise()
    },
    restarted(startedAtMs) {
      bodies.doubt()
      holds = false
      // The same question again, of the same body, which it may have fetched before we noticed.
      const hasFetched = lastFetch !== null && isCurrent(lastFetch.hash) && lastFetch.at >= startedAtMs
      fetches.restarted(hasFetched ? performance.now() : null)
      passage.anew()
      if (hasFetched) passage.fetched()
      recognise()
    },
    facts() {
      const seen = observation()
      const canRead = isReadable(seen)
      return {
        readable: canRead,
        beacon: canRead && current !== null && seen.reading.runtime.beacons.includes(current.snapshot.hash),
        fetched: canRead && isFetched(seen),
        doubtedForMs: canRead ? doubtedForMs(seen) : null,
        deadlineMs: deadlineMs(),
      }
    },
    isApplied: () => isCurrent(bodies.applied()?.snapshot.hash),
    dueInMs() {
      const seen = observation()
      if (fetches.sinceMs() === null || !isReadable(seen)) return null
      const sinceMs = doubtSinceMs() ?? performance.now()
      return Math.max(Math.max(sinceMs, seen.answersSinceMs ?? 0) + deadlineMs() - performance.now(), 0)
    },
    stages: passage.stages,
    view: () => ({
      current: current?.snapshot ?? null,
      polled: isCurrent(lastFetch?.hash),
      applied: bodies.applied(),
      moments: passage.moments(),
    }),
  }
}
