/**
 * Why a route is live, or at which link of the chain it stops: expected -> compiled -> served -> applied -> probed.
 *
 * Whoever asks hands in what it knows of one route as one plain value, ExplainInput:
 *   verdict      its row of `/status`, and the rows of other routes that claim the same id
 *   source       when the source that it comes from was last read well, and what is wrong with it now
 *   outcome      what compiling made of it, with the configuration of that round; null when its source refused it
 *   publication  the body that is served now: since when, whether Traefik has fetched it, when its beacon was seen
 *   evidence     what Traefik shows, as `judge` takes it
 *   probe        what a probe through the port has found; null when none was made
 *
 * A link is true or false only where that is known. After the first false one nothing is claimed.
 */
import type { RouteOutcome } from './compile.ts'
import type { DynamicConfig } from './dynamic-config.ts'
import type { Evidence } from './judge.ts'
import type { ObservedRouter, ObservedStatus } from './observed.ts'
import { type Protocol, type RouteKey, routeKey } from './problem.ts'
import { excerpt } from './route-excerpt.ts'
import { NO_PLACE, placeOf, type RoutePlace } from './route-place.ts'
import type { TimingsMs, TrackedVerdict } from './track.ts'
import type { ReasonCode, Verdict } from './verdict.ts'

export const STEPS = ['expected', 'compiled', 'served', 'applied', 'probed'] as const
export type StepName = (typeof STEPS)[number]

export type ExplainStep = {
  readonly step: StepName
  /** Null: not known, or not tried. */
  readonly ok: boolean | null
  /** ISO 8601. */
  readonly at: string | null
  /** One sentence without a full stop. */
  readonly detail: string
}

/** Times in milliseconds since 1970. */
export type ExplainInput = {
  readonly verdict: TrackedVerdict
  readonly others: readonly TrackedVerdict[]
  readonly source: {
    /** When it was last read well; null: never in this run. */
    readonly lastSuccessAt: number | null
    readonly fault: { readonly message: string; readonly since: number } | null
  } | null
  readonly outcome: RouteOutcome | null
  /** What the outcome's names stand for. */
  readonly config: DynamicConfig | null
  readonly publication: {
    readonly hash: string
    readonly revision: number | string
    readonly compiledAt: number | null
    readonly servedAt: number | null
    readonly fetchedAt: number | null
    /** Traefik has fetched this body. */
    readonly polled: boolean
    /** The last poll for any body. */
    readonly lastPollAt: number | null
    /** When the beacon of this body was first seen; null: not yet. */
    readonly appliedAt: number | null
  } | null
  readonly evidence: Evidence
  /** When Traefik was last read; null: never in this run. */
  readonly readAt: number | null
  /** `ok` null: it could not be tried. */
  readonly probe: { readonly ok: boolean | null; readonly at: number; readonly message: string } | null
}

export type ExplainedRouter = {
  readonly name: string
  readonly entryPoints: readonly string[]
  /** Null on UDP. */
  readonly rule: string | null
  readonly priority: number | null
  readonly service: string
  /** As Traefik shows it; null when it does not show it, or nobody can ask. */
  readonly status: ObservedStatus | null
  /** Traefik's own words. */
  readonly errors: readonly string[]
}

export type Explanation = RoutePlace & {
  readonly key: RouteKey
  readonly id: string
  readonly protocol: Protocol
  readonly verdict: Verdict
  readonly reason: ReasonCode
  readonly message: string
  readonly remedy: string
  readonly since: string
  readonly revision: number | string
  readonly origin: string
  readonly entryPoints: readonly string[]
  readonly notes: readonly string[]
  readonly chain: readonly ExplainStep[]
  /** How long the change took that made it live, by stage; null when nobody measured. */
  readonly timingsMs: TimingsMs | null
  readonly brokenAt: StepName | null
  /** Other routes of the same key: an id that is claimed twice. */
  readonly others: readonly { readonly verdict: Verdict; readonly message: string; readonly origin: string }[]
  /** The first few of what it became in Traefik; empty when it is not served. */
  readonly routers: readonly ExplainedRouter[]
  /** How many there are in all. */
  readonly routerCount: number
  /** The part of the configuration that is this route's, of those few routers; null when it is not served. */
  readonly config: DynamicConfig | null
}

/** A block of a thousand ports is a thousand routers, and they are all alike. */
const MAX_ROUTERS = 8

type Link = Omit<ExplainStep, 'step'>

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
const link = (ok: boolean | null, atMs: number | null, detail: string): Link => ({ ok, at: iso(atMs), detail })

const shortLabel = (label: number | string): string => String(label).slice(0, 12)
const listed = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`

/** Traefik refused a body with it: it was compiled and handed over, and is left out of what is served now. */
const isLeftOut = ({ verdict, outcome }: ExplainInput): boolean =>
  verdict.verdict === 'refused' && outcome !== null && outcome.problem !== null

function expected({ verdict, source }: ExplainInput): Link {
  const at = source?.lastSuccessAt ?? null
  if (verdict.reason === 'EXPIRED') return link(false, at, verdict.message)
  // It is not asked for any more, and nobody has said that this was meant: so the question is open, and the route goes on.
  if (verdict.reason === 'MASS_REMOVAL') return link(null, at, `${verdict.message}; the guard keeps the route`)
  const fault = source?.fault ?? null
  return link(
    true,
    at,
    fault === null
      ? `${verdict.origin} asks for it`
      : `${verdict.origin} asked for it when it was last read; since ${iso(fault.since)} ${fault.message}`,
  )
}

function compiled(input: ExplainInput): Link {
  const { verdict, outcome, publication } = input
  const at = publication?.compiledAt ?? null
  if (isLeftOut(input)) return link(true, at, 'no problem found')
  if (outcome === null || outcome.problem !== null) return link(false, at, verdict.message)
  return link(true, at, `${listed(outcome.routers)} on ${listed(outcome.entryPoints)}`)
}

const routersShown = ({ evidence, outcome, verdict }: ExplainInput): ReadonlyMap<string, ObservedRouter> =>
  new Map(
    evidence.kind !== 'read' || outcome === null
      ? []
      : evidence.runtime.routers.filter(({ protocol }) => protocol === verdict.protocol).map(one => [one.name, one]),
  )

const NOT_SHOWN: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['NOT_YET_POLLED', 'TOKEN_REFUSED', 'NOT_YET_APPLIED'])

/** Whether Traefik shows all of its routers, in order or not. */
function isShown(input: ExplainInput): boolean {
  const { evidence, verdict, outcome } = input
  if (evidence.kind !== 'read' || NOT_SHOWN.has(verdict.reason)) return false
  const shown = routersShown(input)
  return (outcome?.routers ?? []).every(name => shown.has(name))
}

function served(input: ExplainInput): Link {
  const { publication, verdict } = input
  if (publication === null) return link(false, null, 'no configuration is served yet')
  const { hash, revision, servedAt, fetchedAt, polled, lastPollAt } = publication
  const body = `body ${hash.slice(0, 12)} of revision ${shortLabel(revision)}`
  if (isLeftOut(input)) return link(true, servedAt, 'Traefik was given a configuration with it')
  // After a restart of the agent Traefik may have the body already, and polls only when its hold is over.
  if (polled || isShown(input)) return link(true, fetchedAt ?? servedAt, `Traefik has fetched ${body}`)
  if (verdict.reason === 'TOKEN_REFUSED')
    return link(false, servedAt, `${body} is offered, and the polls of Traefik are refused for their token`)
  const poll =
    lastPollAt === null ? 'it has not polled since the agent started' : `its last poll was at ${iso(lastPollAt)}`
  return link(false, servedAt, `${body} is offered, and Traefik has not fetched it; ${poll}`)
}

function applied(input: ExplainInput): Link {
  const { verdict, outcome, evidence, publication, readAt } = input
  const at = publication?.appliedAt ?? null
  if (verdict.verdict === 'refused') return link(false, readAt, verdict.message)
  if (evidence.kind === 'none') return link(null, null, 'not known: no Traefik API is configured')
  if (evidence.kind === 'fault') return link(null, readAt, `not known: ${evidence.message}`)
  if (!isShown(input))
    return link(
      false,
      readAt,
      verdict.verdict === 'pending' ? verdict.message : 'Traefik does not show it as it is served',
    )
  return link(true, at, `Traefik shows ${listed(outcome?.routers ?? [])}`)
}

function probed({ verdict, probe, readAt }: ExplainInput): Link {
  if (probe !== null) return link(probe.ok, probe.at, probe.message)
  if (verdict.reason === 'BACKEND_DOWN' || verdict.reason === 'NO_UPSTREAMS') return link(false, null, verdict.message)
  const { health } = verdict
  if (health === undefined)
    return verdict.verdict === 'live'
      ? link(null, null, 'not checked: the route has neither a health check nor a probe')
      : link(null, null, 'not tried: no probe is asked for')
  if (health.unasked > 0)
    return link(
      null,
      readAt,
      `not checked yet: the health check of Traefik has asked ${health.total - health.unasked} of ${health.total} upstreams`,
    )
  return link(true, readAt, `no probe is asked for; the health check of Traefik finds all ${health.total} upstreams up`)
}

const LINKS: Readonly<Record<StepName, (input: ExplainInput) => Link>> = {
  expected,
  compiled,
  served,
  applied,
  probed,
}

function chainOf(input: ExplainInput): ExplainStep[] {
  const chain: ExplainStep[] = []
  for (const step of STEPS) {
    const broken = chain.some(({ ok }) => ok === false)
    chain.push({ step, ...(broken ? link(null, null, 'not tried') : LINKS[step](input)) })
  }
  return chain
}

function routersOf(input: ExplainInput, names: readonly string[]): ExplainedRouter[] {
  const section = input.config?.[input.verdict.protocol]
  const shown = routersShown(input)
  return names.flatMap(name => {
    const router = section?.routers?.[name]
    if (router === undefined) return []
    const observed = shown.get(name)
    return [
      {
        name,
        entryPoints: router.entryPoints,
        rule: 'rule' in router ? router.rule : null,
        priority: 'priority' in router ? router.priority : null,
        service: router.service,
        status: observed?.status ?? null,
        errors: observed?.errors ?? [],
      },
    ]
  })
}

/** Pure and total. */
export function explainRoute(input: ExplainInput): Explanation {
  const { verdict, outcome, config } = input
  const { id, protocol, reason, message, remedy, revision, origin, entryPoints, notes } = verdict
  const chain = chainOf(input)
  const names = outcome?.routers ?? []
  const few = names.slice(0, MAX_ROUTERS)
  return {
    ...(outcome === null ? NO_PLACE : placeOf(outcome.candidate.route)),
    key: routeKey(protocol, id),
    id,
    protocol,
    verdict: verdict.verdict,
    reason,
    message,
    remedy,
    since: new Date(verdict.since).toISOString(),
    revision,
    origin,
    entryPoints,
    notes,
    chain,
    timingsMs: verdict.timingsMs ?? null,
    brokenAt: chain.find(({ ok }) => ok === false)?.step ?? null,
    others: input.others.map(other => ({ verdict: other.verdict, message: other.message, origin: other.origin })),
    routers: routersOf(input, few),
    routerCount: names.length,
    config: config === null || few.length === 0 ? null : excerpt(config, protocol, few),
  }
}
