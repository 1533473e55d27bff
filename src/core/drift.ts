/**
 * Drift: what Traefik shows of ours, held against what it was last seen to have taken.
 *
 *   detectChanges   section by section, by hashes over one common picture of both sides
 *   findDrift       router by router: missing, extra, different, disabled; and foreign routers on our entry points
 *   reconcileOne    what is done about it
 */
import type {
  DynamicConfig,
  HttpRouter,
  HttpService,
  TcpRouter,
  TcpService,
  UdpRouter,
  UdpService,
} from './dynamic-config.ts'
import { contentHash } from './hash.ts'
import type { ForeignRouter, ObservedRouter, ObservedRuntime, ObservedService } from './observed.ts'
import { PROTOCOLS, type Protocol } from './problem.ts'

type Picture = {
  readonly routers: Readonly<Record<string, unknown>>
  readonly services: Readonly<Record<string, readonly string[]>>
}

type AnyRouter = HttpRouter | TcpRouter | UdpRouter
type AnyService = HttpService | TcpService | UdpService

/** What both sides can be asked: Traefik adds defaults of its own to what it shows. */
const routerPicture = (router: AnyRouter): unknown => ({
  entryPoints: [...router.entryPoints].sort(),
  rule: 'rule' in router ? router.rule : null,
  priority: 'priority' in router ? router.priority : null,
  service: router.service,
  tls: 'tls' in router && router.tls !== undefined,
  passthrough: 'tls' in router && router.tls !== undefined && 'passthrough' in router.tls && router.tls.passthrough,
})

const serversOf = (service: AnyService): readonly string[] =>
  'loadBalancer' in service
    ? service.loadBalancer.servers.map(server => ('url' in server ? server.url : server.address)).sort()
    : []

function expectedPicture(config: DynamicConfig, protocol: Protocol): Picture {
  const section = config[protocol]
  return {
    routers: Object.fromEntries(
      Object.entries(section?.routers ?? {}).map(([name, router]) => [name, routerPicture(router)]),
    ),
    services: Object.fromEntries(
      Object.entries(section?.services ?? {}).map(([name, service]) => [name, serversOf(service)]),
    ),
  }
}

function observedPicture(runtime: ObservedRuntime, protocol: Protocol): Picture {
  const isUdp = protocol === 'udp'
  return {
    routers: Object.fromEntries(
      runtime.routers
        .filter(router => router.protocol === protocol)
        .map(({ name, entryPoints, rule, priority, service, tls, passthrough }) => [
          name,
          { entryPoints, rule: isUdp ? null : rule, priority: isUdp ? null : priority, service, tls, passthrough },
        ]),
    ),
    services: Object.fromEntries(
      runtime.services.filter(service => service.protocol === protocol).map(({ name, servers }) => [name, servers]),
    ),
  }
}

/** Sections whose picture in Traefik is another than the one that was compiled. */
export function detectChanges(config: DynamicConfig, runtime: ObservedRuntime): readonly Protocol[] {
  return PROTOCOLS.filter(
    protocol => contentHash(expectedPicture(config, protocol)) !== contentHash(observedPicture(runtime, protocol)),
  )
}

export type DriftKind = 'missing' | 'extra' | 'different' | 'disabled'

export type DriftEntry = {
  readonly kind: DriftKind
  readonly protocol: Protocol
  readonly what: 'router' | 'service'
  readonly name: string
  readonly detail: string | null
}

export type Drift = {
  readonly sections: readonly Protocol[]
  readonly entries: readonly DriftEntry[]
  /** The beacon of the body that Traefik has fetched is not there. */
  readonly beaconMissing: boolean
  /** Routers of other providers on our entry points: no fault of anybody. */
  readonly foreign: readonly ForeignRouter[]
}

export const NO_DRIFT: Drift = { sections: [], entries: [], beaconMissing: false, foreign: [] }

function compareMaps(
  protocol: Protocol,
  what: DriftEntry['what'],
  expected: Readonly<Record<string, unknown>>,
  observed: Readonly<Record<string, unknown>>,
): DriftEntry[] {
  const entry = (kind: DriftKind, name: string): DriftEntry => ({ kind, protocol, what, name, detail: null })
  return [
    ...Object.keys(expected).flatMap(name => {
      if (!Object.hasOwn(observed, name)) return [entry('missing', name)]
      return contentHash(expected[name]) === contentHash(observed[name]) ? [] : [entry('different', name)]
    }),
    ...Object.keys(observed)
      .filter(name => !Object.hasOwn(expected, name))
      .map(name => entry('extra', name)),
  ]
}

/** @param ours names of the entry points of the pools */
export const foreignOn = (ours: ReadonlySet<string>, runtime: ObservedRuntime): readonly ForeignRouter[] =>
  runtime.foreignRouters.filter(({ entryPoints }) => entryPoints.some(name => ours.has(name)))

/**
 * @param config what Traefik was last seen to have applied, or what it has fetched and had the time to apply
 * @param hash of that body
 * @param ours names of the entry points of the pools
 */
export function findDrift(
  config: DynamicConfig,
  hash: string,
  runtime: ObservedRuntime,
  ours: ReadonlySet<string>,
): Drift {
  const sections = detectChanges(config, runtime)
  const entries = sections.flatMap(protocol => {
    const expected = expectedPicture(config, protocol)
    const observed = observedPicture(runtime, protocol)
    return [
      ...compareMaps(protocol, 'router', expected.routers, observed.routers),
      ...compareMaps(protocol, 'service', expected.services, observed.services),
    ]
  })
  const disabledOf = (what: DriftEntry['what'], of: readonly (ObservedRouter | ObservedService)[]): DriftEntry[] =>
    of
      .filter(({ status }) => status === 'disabled')
      .map(({ protocol, name, errors }) => ({
        kind: 'disabled',
        protocol,
        what,
        name,
        detail: errors.join('; ') || null,
      }))
  return {
    sections,
    entries: [...entries, ...disabledOf('router', runtime.routers), ...disabledOf('service', runtime.services)],
    beaconMissing: !runtime.beacons.includes(hash),
    foreign: foreignOn(ours, runtime),
  }
}

export const countDrift = (drift: Drift): Readonly<Record<DriftKind, number>> => {
  const counts = { missing: 0, extra: 0, different: 0, disabled: 0 }
  for (const { kind } of drift.entries) counts[kind]++
  return counts
}

/**
 * What is done about what one look has found.
 *
 * `send-again`: the body that Traefik had is gone from it although it still runs, so somebody gave it another one. It has ours again as
 * soon as its poll is answered. `tell`: ours is there, and something in it is not as it should be. No body mends that: Traefik passes over
 * one that it has, and a change made up to force it would rebuild every router on the node.
 */
export function reconcileOne({ beaconMissing, entries }: Drift): 'send-again' | 'tell' | 'nothing' {
  if (beaconMissing) return 'send-again'
  return entries.length > 0 ? 'tell' : 'nothing'
}
