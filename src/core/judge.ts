/**
 * What became of each route: its outcome here, held against what Traefik shows.
 *
 * "Live" is read back, never assumed: every router and service that the route became stands in Traefik's runtime just as it was
 * compiled, none is disabled, and the body that Traefik shows by its beacon has the route as it is now: of middlewares, weights and
 * transports the runtime tells too little. Whatever is not known is `pending`, and says so.
 */
import { contentOf } from './changes.ts'
import type { RouteOutcome } from './compile.ts'
import { type Candidate, keyOf } from './conflicts.ts'
import type {
  DynamicConfig,
  HttpRouter,
  HttpService,
  TcpRouter,
  TcpService,
  UdpRouter,
  UdpService,
} from './dynamic-config.ts'
import type { ObservedRouter, ObservedRuntime, ObservedService } from './observed.ts'
import { type Problem, type Protocol, printable, type RouteKey } from './problem.ts'
import { NO_PLACE, placeOf, type RoutePlace } from './route-place.ts'
import { REASONS, type ReasonCode, type Verdict } from './verdict.ts'

export type Evidence =
  /** No API is configured. */
  | { readonly kind: 'none' }
  /** It was asked and did not answer, or not as Traefik does. */
  | { readonly kind: 'fault'; readonly message: string }
  | { readonly kind: 'read'; readonly runtime: ObservedRuntime }

/** Where clients reach the route is null for one that was refused before it was read. */
export type RouteVerdict = RoutePlace & {
  readonly id: string
  readonly protocol: Protocol
  readonly verdict: Verdict
  readonly reason: ReasonCode
  /** One sentence for a person. */
  readonly message: string
  readonly remedy: string
  readonly entryPoints: readonly string[]
  readonly notes: readonly string[]
  readonly origin: string
  /** What Traefik's health check has found; absent where there is none, or nobody knows. */
  readonly health?: RouteHealth
}

/** Numbers of upstreams. */
export type RouteHealth = {
  readonly total: number
  readonly down: number
  /** That no check has asked yet: Traefik calls them up until then. */
  readonly unasked: number
}

/** `refused`: its polls are refused for their token. */
export type Polled = 'yes' | 'no' | 'refused'

type Finding = { readonly reason: ReasonCode; readonly message: string; readonly remedy?: string }

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((entry, i) => entry === b[i])

function routerStands(expected: HttpRouter | TcpRouter | UdpRouter, observed: ObservedRouter): boolean {
  const tls = 'tls' in expected ? expected.tls : undefined
  return (
    same([...expected.entryPoints].sort(), observed.entryPoints) &&
    expected.service === observed.service &&
    (!('rule' in expected) || (expected.rule === observed.rule && expected.priority === observed.priority)) &&
    (tls !== undefined) === observed.tls &&
    (tls !== undefined && 'passthrough' in tls ? tls.passthrough : false) === observed.passthrough
  )
}

function serversOf(service: HttpService | TcpService | UdpService): readonly string[] {
  if (!('loadBalancer' in service)) return []
  return service.loadBalancer.servers.map(server => ('url' in server ? server.url : server.address)).sort()
}

type Runtime = {
  readonly routers: ReadonlyMap<string, ObservedRouter>
  readonly services: ReadonlyMap<string, ObservedService>
}

const indexed = (runtime: ObservedRuntime): Runtime => ({
  routers: new Map(runtime.routers.map(router => [`${router.protocol}/${router.name}`, router])),
  services: new Map(runtime.services.map(service => [`${service.protocol}/${service.name}`, service])),
})

const wordsOf = (errors: readonly string[]): string =>
  errors.length === 0 ? 'without a reason' : printable(errors.join('; '))

/** Null when every part stands as compiled. */
function standing(outcome: RouteOutcome, config: DynamicConfig, runtime: Runtime): Finding | null {
  const { protocol } = outcome.candidate.route
  const section = config[protocol]
  let missing: string | null = null
  for (const name of outcome.routers) {
    const expected = section?.routers?.[name]
    const observed = runtime.routers.get(`${protocol}/${name}`)
    if (observed?.status === 'disabled')
      return {
        reason: 'TRAEFIK_DISABLED',
        message: `Traefik shows the router ${name} as disabled: ${wordsOf(observed.errors)}`,
      }
    if (expected === undefined || observed === undefined || !routerStands(expected, observed))
      missing ??= `the router ${name}`
  }
  for (const name of outcome.services) {
    const expected = section?.services?.[name]
    const observed = runtime.services.get(`${protocol}/${name}`)
    if (observed?.status === 'disabled')
      return {
        reason: 'TRAEFIK_DISABLED',
        message: `Traefik shows the service ${name} as disabled: ${wordsOf(observed.errors)}`,
      }
    if (expected === undefined || observed === undefined || !same(serversOf(expected), observed.servers))
      missing ??= `the service ${name}`
  }
  return missing === null
    ? null
    : { reason: 'NOT_YET_APPLIED', message: `Traefik does not show ${missing} as it is served` }
}

/** Those that Traefik has just as they were compiled. */
export function standingOutcomes(
  outcomes: readonly RouteOutcome[],
  config: DynamicConfig,
  runtime: ObservedRuntime,
): readonly RouteOutcome[] {
  const index = indexed(runtime)
  return outcomes.filter(outcome => outcome.problem === null && standing(outcome, config, index) === null)
}

/** Of the services of one route. */
function upstreamsOf(outcome: RouteOutcome, runtime: Runtime) {
  const keys = outcome.services.map(name => `${outcome.candidate.route.protocol}/${name}`)
  const services = keys.flatMap(key => runtime.services.get(key) ?? [])
  return {
    keys,
    all: new Set(services.flatMap(service => service.servers)),
    down: new Set(services.flatMap(service => service.down)),
  }
}

function backendsDown(outcome: RouteOutcome, runtime: Runtime): Finding | null {
  const { all, down } = upstreamsOf(outcome, runtime)
  if (down.size === 0) return null
  const names = printable([...down].join(', '))
  const some = `${down.size} of ${all.size} upstreams ${down.size === 1 ? 'is' : 'are'} down: ${names}`
  return { reason: 'BACKEND_DOWN', message: all.size === 1 ? `its only upstream is down: ${names}` : some }
}

function healthOf(
  outcome: RouteOutcome,
  runtime: Runtime | null,
  unasked: ReadonlyMap<string, readonly string[]>,
): RouteHealth | null {
  if (runtime === null || outcome.problem !== null) return null
  const { keys, all, down } = upstreamsOf(outcome, runtime)
  if (!keys.some(key => unasked.has(key))) return null
  const never = new Set(keys.flatMap(key => unasked.get(key) ?? []))
  return { total: all.size, down: down.size, unasked: never.size }
}

/** Live says that Traefik has it; of an upstream that nobody asked it says nothing. */
function withUnasked(finding: Finding, health: RouteHealth | null): Finding {
  if (finding.reason !== 'LIVE' || health === null || health.unasked === 0) return finding
  const which = health.unasked === health.total ? 'its upstreams' : `${health.unasked} of its ${health.total} upstreams`
  return {
    ...finding,
    message: `Traefik shows the route as we compiled it, and its health check has not asked ${which} yet.`,
  }
}

function notPolled(polled: Exclude<Polled, 'yes'>): Finding {
  const reason = polled === 'no' ? 'NOT_YET_POLLED' : 'TOKEN_REFUSED'
  return { reason, message: REASONS[reason].meaning }
}

const NOT_IN_BODY: Finding = {
  reason: 'NOT_YET_APPLIED',
  message: 'Traefik does not show a configuration yet that has the route as it is now',
}

function judgeOne(
  outcome: RouteOutcome,
  config: DynamicConfig,
  polled: Polled,
  evidence: Evidence,
  runtime: Runtime | null,
  inBody: (outcome: RouteOutcome) => boolean,
): Finding {
  if (outcome.problem !== null)
    return { reason: outcome.problem.code, message: outcome.problem.message, remedy: outcome.problem.remedy }
  if (evidence.kind === 'none') return { reason: 'NOT_VERIFIED', message: REASONS.NOT_VERIFIED.meaning }
  if (evidence.kind === 'fault' || runtime === null)
    return {
      reason: 'API_UNREACHABLE',
      message: evidence.kind === 'fault' ? evidence.message : REASONS.API_UNREACHABLE.meaning,
    }
  const fault = standing(outcome, config, runtime) ?? (inBody(outcome) ? null : NOT_IN_BODY)
  if (fault !== null) return fault.reason === 'NOT_YET_APPLIED' && polled !== 'yes' ? notPolled(polled) : fault
  if (outcome.degraded !== null)
    return { reason: outcome.degraded.code, message: outcome.degraded.message, remedy: outcome.degraded.remedy }
  return backendsDown(outcome, runtime) ?? { reason: 'LIVE', message: REASONS.LIVE.meaning }
}

export type JudgeInput = {
  readonly outcomes: readonly RouteOutcome[]
  /** Routes that never became candidates: what the sources refused. */
  readonly rejected: readonly Problem[]
  readonly config: DynamicConfig
  /** Whether Traefik has fetched the body that is served now. */
  readonly polled: Polled
  readonly evidence: Evidence
  /** By `tcp/NAME`, of each service that Traefik checks the servers that it has not asked yet. */
  readonly unasked?: ReadonlyMap<string, readonly string[]>
  /** Routes that the guard keeps, each with the guard's sentence. */
  readonly held: ReadonlyMap<RouteKey, string>
  /** Routes of the body that Traefik was last seen to have, when that is another one than of these; null: nobody knows it. Absent: of these. */
  readonly applied?: readonly Candidate[] | null
}

function rejectedVerdicts(rejected: readonly Problem[]): RouteVerdict[] {
  const seen = new Set<string>()
  return rejected.flatMap(({ protocol, routeId, code, message, remedy, origin }) => {
    if (protocol === null) return []
    // Several faults of one route are one verdict; the first is named.
    const key = `${origin} ${protocol}/${routeId}`
    if (routeId !== null && seen.has(key)) return []
    seen.add(key)
    return [
      {
        ...NO_PLACE,
        id: routeId ?? '(no id)',
        protocol,
        verdict: REASONS[code].verdict,
        reason: code,
        message,
        remedy,
        entryPoints: [],
        notes: [],
        origin,
      },
    ]
  })
}

export function judge(input: JudgeInput): RouteVerdict[] {
  const { outcomes, rejected, config, polled, evidence, held, applied, unasked = new Map() } = input
  const runtime = evidence.kind === 'read' ? indexed(evidence.runtime) : null
  const had = new Map(applied?.map(candidate => [keyOf(candidate.route), contentOf(candidate)]))
  const inBody = ({ key, candidate }: RouteOutcome) => applied === undefined || had.get(key) === contentOf(candidate)
  const verdicts = outcomes.map((outcome): RouteVerdict => {
    const { route, origin } = outcome.candidate
    const health = healthOf(outcome, runtime, unasked)
    const found = withUnasked(judgeOne(outcome, config, polled, evidence, runtime, inBody), health)
    const why = outcome.problem === null ? held.get(outcome.key) : undefined
    const { reason, message, remedy }: Finding = why === undefined ? found : { reason: 'MASS_REMOVAL', message: why }
    return {
      ...placeOf(route),
      id: route.id,
      protocol: route.protocol,
      verdict: REASONS[reason].verdict,
      reason,
      message,
      remedy: remedy ?? REASONS[reason].remedy,
      entryPoints: outcome.entryPoints,
      notes: outcome.notes,
      origin,
      ...(health === null ? {} : { health }),
    }
  })
  return [...verdicts, ...rejectedVerdicts(rejected)]
}
