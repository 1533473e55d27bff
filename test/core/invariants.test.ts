/** The invariants of SPEC.md, each over many generated states. A failing property prints its seed and the smallest state that breaks it. */
import { readFileSync } from 'node:fs'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { type Compiled, compile, type RouteOutcome } from '../../src/core/compile.ts'
import type { Candidate } from '../../src/core/conflicts.ts'
import { parseExpectedState, parseRoutesFile } from '../../src/core/expected-state.ts'
import { hostRule, hostSniRule, parseHostName } from '../../src/core/host-sni.ts'
import { mergeSources } from '../../src/core/merge.ts'
import type { ForeignRouter } from '../../src/core/observed.ts'
import { beaconHash, beaconName, makeSnapshot } from '../../src/core/payload.ts'
import type { TraefikView } from '../../src/core/placement.ts'
import { createRouteMemory, type Route } from '../../src/core/route.ts'
import { formatAddress, formatHttpUpstream } from '../../src/core/upstream.ts'
import { REASONS } from '../../src/core/verdict.ts'
import {
  FEW,
  goodLists,
  HOSTS,
  lists,
  tampered,
  tcpWire,
  view,
  type WireRoute,
  wrongValue,
} from '../support/arbitraries.ts'
import {
  documentWith,
  ENTRY_POINTS,
  httpRoute,
  type Lists,
  NODE,
  nodeWith,
  portSet,
  stateWith,
  tcpRoute,
  traefikWith,
  udpRoute,
  viewOf,
} from '../support/builders.ts'
import { selfSigned, type TestCertificate } from '../support/certificates.ts'
import { type DecodedConfig, dynamicConfigSchema } from '../support/dynamic-config-schema.ts'

const NOW = Date.UTC(2026, 5, 1)
const OPTIONS = { origin: 'test', maxRoutes: 100_000 }

const candidatesFrom = (files: Lists, controlPlane: Lists): readonly Candidate[] => {
  const routesOf = (wire: Lists, origin: string) => stateWith({ ...wire }).routes.map(route => ({ route, origin }))
  const sources = [
    { rank: 0, routes: routesOf(files, 'routes.d/a.yaml') },
    { rank: 1, routes: routesOf(controlPlane, 'cp_1') },
  ]
  return mergeSources(sources, {}, NOW).candidates
}

const compiled = (candidates: readonly Candidate[], given: TraefikView): Compiled =>
  compile({ candidates, node: NODE, view: given, certificates: [], challengeUrl: 'https://control.example.com' })

const bytes = (result: Compiled): string => makeSnapshot(result.config).body

const decoded = (result: Compiled): DecodedConfig => {
  const parsed = dynamicConfigSchema.safeParse(JSON.parse(bytes(result)))
  if (!parsed.success) throw new Error(JSON.stringify(parsed.error.issues.slice(0, 3)))
  return parsed.data
}

type Router = {
  readonly entryPoints: readonly string[]
  readonly service: string
  readonly middlewares?: readonly string[] | undefined
}

const routersIn = (config: DecodedConfig, protocol: 'http' | 'tcp' | 'udp'): [string, Router][] =>
  Object.entries(config[protocol]?.routers ?? {})

const PROTOCOLS = ['http', 'tcp', 'udp'] as const

/** What the settings and Traefik leave of `lists`, from a few local files and a control plane. */
const scenario = fc.record({ files: lists(FEW, { maxLength: 3 }), controlPlane: lists(), view })
type Scenario = { readonly files: Lists; readonly controlPlane: Lists; readonly view: TraefikView }

const compileScenario = (given: Scenario): Compiled =>
  compiled(candidatesFrom(given.files, given.controlPlane), given.view)

/** fast-check repeats it with the seed that it prints. */
const property = (title: string, check: (given: Scenario) => void, numRuns = 60) =>
  propertyTest.prop([scenario], { numRuns })(title, check)

const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> =>
  fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length })

describe('the document', () => {
  const json = fc.oneof(
    fc.jsonValue(),
    fc.record({ traefik: fc.jsonValue() }),
    lists().map(wire => documentWith({ ...wire })),
    fc
      .tuple(
        lists(),
        fc.constantFrom('schema', 'revision', 'epoch', 'removed', 'controlPlaneId', 'acceptedHash'),
        wrongValue,
      )
      .map(([wire, field, value]) => documentWith({ ...wire }, { [field]: value })),
    fc
      .tuple(
        lists(),
        fc.constantFrom('routes', 'tcpRoutes', 'certificates', 'challengeRoute', 'httpRoutes'),
        wrongValue,
      )
      .map(([wire, field, value]) => documentWith({ ...wire, [field]: value })),
  )

  propertyTest.prop([json], { numRuns: 400 })('parsing is total and tells what is wrong', raw => {
    for (const parse of [parseExpectedState, parseRoutesFile]) {
      const parsed = parse(raw, OPTIONS)
      const problems = parsed.ok ? parsed.state.problems : [parsed.problem]
      for (const { code, message, remedy, value, routeId } of problems) {
        expect(REASONS).toHaveProperty(code)
        expect([message, remedy].every(text => text.length > 5 && text.length < 700)).toBe(true)
        expect(`${value}${routeId}`).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]*$/u)
        expect(value?.length ?? 0).toBeLessThanOrEqual(80)
      }
      if (parsed.ok) expect(Object.values(parsed.state.lists)).toContain(true)
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  const wireDocument = lists().map(wire => JSON.parse(JSON.stringify(documentWith({ ...wire }))))
  propertyTest.prop([wireDocument, wireDocument], { numRuns: 100 })(
    'with a memory of the last one reads the same',
    (one, other) => {
      const memory = createRouteMemory()
      for (const raw of [one, other, one, one])
        expect(parseExpectedState(raw, { ...OPTIONS, memory })).toEqual(parseExpectedState(raw, OPTIONS))
    },
  )

  propertyTest.prop([lists()], { numRuns: 200 })('every entry is a route or has a problem', wire => {
    const { routes, problems } = stateWith({ ...wire })
    for (const [list, protocol] of [
      ['routes', 'http'],
      ['tcpRoutes', 'tcp'],
      ['udpRoutes', 'udp'],
    ] as const) {
      const entries = wire[list] ?? []
      const alone = entries.map(entry => stateWith({ [list]: [entry] }))
      for (const { routes: one, problems: its } of alone) expect(one.length === 1).toBe(its.length === 0)
      expect(routes.filter(route => route.protocol === protocol)).toEqual(alone.flatMap(state => state.routes))
      expect(problems.filter(problem => problem.protocol === protocol)).toEqual(alone.flatMap(state => state.problems))
    }
  })

  propertyTest.prop([
    lists().chain(wire => fc.tuple(fc.constant(wire), shuffled(wire.routes), shuffled(wire.tcpRoutes))),
  ])('the order of a list leaves the content hash alone', ([wire, routes, tcpRoutes]) => {
    const again = stateWith({ ...wire, routes, tcpRoutes, udpRoutes: wire.udpRoutes.toReversed() })
    expect(again.contentHash).toBe(stateWith({ ...wire }).contentHash)
  })

  const wireOf = (route: Route): WireRoute => {
    const times = {
      ...(route.claimedAt === null ? {} : { claimedAt: new Date(route.claimedAt).toISOString() }),
      ...(route.expiresAt === null ? {} : { expiresAt: new Date(route.expiresAt).toISOString() }),
    }
    const { notes: _notes, protocol, ...fields } = route
    if (route.protocol === 'http') {
      const { interval = 0, timeout = 0, path = '' } = route.healthCheck ?? {}
      return {
        ...fields,
        ...times,
        upstreams: route.upstreams.map(({ url, weight }) => ({ url: formatHttpUpstream(url), weight })),
        healthCheck: route.healthCheck === null ? null : { path, interval: `${interval}ms`, timeout: `${timeout}ms` },
      }
    }
    const check = route.protocol === 'tcp' ? route.healthCheck : null
    return {
      ...fields,
      ...times,
      upstreams: route.upstreams.map(({ address }) => formatAddress(address)),
      weights: route.upstreams.map(({ weight }) => weight),
      ...(protocol === 'udp' || check === null
        ? {}
        : { healthCheck: { ...check, interval: `${check.interval}ms`, timeout: `${check.timeout}ms` } }),
    }
  }

  propertyTest.prop([goodLists()], { numRuns: 200 })('canonical forms are fixed points', wire => {
    const { routes, problems } = stateWith({ ...wire })
    expect(problems).toEqual([])
    const of = (protocol: Route['protocol']) => routes.filter(route => route.protocol === protocol).map(wireOf)
    const again = stateWith({ routes: of('http'), tcpRoutes: of('tcp'), udpRoutes: of('udp') })
    const bare = (route: Route) => ({ ...route, notes: [] })
    expect(again.problems).toEqual([])
    expect(again.routes.map(bare)).toEqual(routes.map(bare))
  })
})

describe('the body', () => {
  property('holds nothing but what Traefik takes', given => {
    decoded(compileScenario(given))
  })

  const emptyIn = (value: unknown, path: string): string[] => {
    if (typeof value !== 'object' || value === null) return value === undefined || value === null ? [path] : []
    const entries = Object.entries(value)
    return entries.length === 0 ? [path] : entries.flatMap(([key, below]) => emptyIn(below, `${path}.${key}`))
  }

  property('has no empty object, map or null', given => {
    const empty = emptyIn(JSON.parse(bytes(compileScenario(given))), '')
    // A list of servers may be empty, and the health check of a weighted service says by its presence alone what it says.
    expect(empty.filter(path => !/\.loadBalancer\.servers$|\.weighted\.healthCheck$/.test(path))).toEqual([])
  })

  propertyTest.prop([
    scenario.chain(given => {
      const candidates = candidatesFrom(given.files, given.controlPlane)
      return fc.tuple(fc.constant(given), fc.constant(candidates), shuffled(candidates))
    }),
  ])('does not depend on the order of routes', ([given, candidates, otherOrder]) => {
    const one = compiled(candidates, given.view)
    const other = compiled(otherOrder, given.view)
    expect(bytes(other)).toBe(bytes(one))
    expect(other.outcomes).toEqual(one.outcomes)
  })

  propertyTest.prop([scenario, view, lists()], { numRuns: 40 })(
    'does not depend on what was compiled before',
    (given, otherView, neighbours) => {
      const anew = () => candidatesFrom(given.files, given.controlPlane)
      const known = anew()
      const more = [...known, ...candidatesFrom({}, neighbours)]
      const strict = nodeWith({ policy: { ...NODE.policy, only: [], deny: NODE.policy.deny, hostNames: true } })
      const steps = [
        [known, given.view, NODE],
        [more, otherView, strict],
        [known, otherView, NODE],
        [known, given.view, NODE],
      ] as const
      for (const [candidates, seen, node] of steps) {
        const of = (from: readonly Candidate[]) =>
          compile({ candidates: from, node, view: seen, certificates: [], challengeUrl: null })
        const [one, fresh] = [of(candidates), of(structuredClone(candidates))]
        expect(bytes(one)).toBe(bytes(fresh))
        expect(one.outcomes).toEqual(fresh.outcomes)
      }
    },
  )

  property('names no router, service, middleware or transport that is not there', given => {
    const config = decoded(compileScenario(given))
    for (const protocol of PROTOCOLS) {
      const section: Readonly<Record<string, object | undefined>> = config[protocol] ?? {}
      const [services, middlewares, transports] = [
        section.services,
        section.middlewares,
        section.serversTransports,
      ].map(map => new Map<string, unknown>(Object.entries(map ?? {})))
      for (const [, router] of routersIn(config, protocol)) {
        expect(services?.has(router.service)).toBe(true)
        for (const middleware of router.middlewares ?? []) expect(middlewares?.has(middleware)).toBe(true)
      }
      for (const service of services?.values() ?? []) {
        const parts = service as {
          weighted?: { services: { name: string }[] }
          loadBalancer?: { serversTransport?: string }
        }
        for (const { name } of parts.weighted?.services ?? []) expect(services?.has(name)).toBe(true)
        const transport = parts.loadBalancer?.serversTransport
        if (transport !== undefined) expect(transports?.has(transport)).toBe(true)
      }
      // And the other way: nothing lies there for nobody but the beacon.
      const used = new Set(
        routersIn(config, protocol).flatMap(([, { service, middlewares: its }]) => [service, ...(its ?? [])]),
      )
      for (const name of [...(services?.keys() ?? []), ...(middlewares?.keys() ?? [])])
        expect(used.has(name) || beaconHash(name) !== null || used.has(name.replace(/\.s\d+$/, ''))).toBe(true)
    }
  })

  property('gives every router entry points that exist', given => {
    const { config, entryPoints } = compileScenario(given)
    const there = new Map(
      (given.view.observed?.entryPoints ?? ENTRY_POINTS).map(({ name, protocol }) => [name, protocol]),
    )
    for (const protocol of PROTOCOLS)
      for (const router of Object.values(config[protocol]?.routers ?? {})) {
        expect(router.entryPoints.length).toBeGreaterThan(0)
        for (const name of router.entryPoints) {
          expect(there.get(name)).toBe(protocol === 'udp' ? 'udp' : 'tcp')
          expect(entryPoints).toContain(name)
        }
      }
  })

  property('gives TCP and HTTP routers a priority by kind', given => {
    const { http, tcp } = decoded(compileScenario(given))
    for (const [name, { rule, priority }] of Object.entries(tcp?.routers ?? {})) {
      const wanted = name.startsWith('tombstone')
        ? -1000
        : rule === 'HostSNI(`*`)'
          ? 1
          : /\*|Regexp/.test(rule)
            ? 200
            : 300
      expect([name, priority]).toEqual([name, wanted])
    }
    for (const [name, { rule, priority }] of Object.entries(http?.routers ?? {})) {
      const path = /PathPrefix\(`(.*)`\)$/.exec(rule)?.[1] ?? '/'
      const wanted =
        name === 'fairlead-acme-challenge' ? 1_000_000 : (rule.includes('Regexp') ? 10_000 : 20_000) + path.length
      expect([name, priority]).toEqual([name, wanted])
    }
  })

  property('leaves no two routers the same traffic', given => {
    const config = decoded(compileScenario(given))
    const claims = [
      ...Object.values(config.tcp?.routers ?? {}).flatMap(({ entryPoints, rule, tls }) =>
        entryPoints.map(name => `${name} ${rule} ${tls !== undefined}`),
      ),
      ...Object.values(config.udp?.routers ?? {}).flatMap(({ entryPoints }) => entryPoints),
      ...Object.values(config.http?.routers ?? {}).flatMap(({ entryPoints, rule }) =>
        entryPoints.map(name => `${name} ${rule}`),
      ),
    ]
    expect(claims.filter((claim, i) => claims.indexOf(claim) !== i)).toEqual([])
    const hostsOf = (routers: Record<string, { entryPoints: readonly string[]; rule: string }>, matcher: string) =>
      Object.values(routers).flatMap(({ entryPoints, rule }) =>
        entryPoints.flatMap(name => {
          const host = new RegExp(`^${matcher}\\(\`([^\`*]+)\`\\)`).exec(rule)?.[1]
          return host === undefined ? [] : [`${name} ${host}`]
        }),
      )
    const sni = new Set(hostsOf(config.tcp?.routers ?? {}, 'HostSNI'))
    expect(hostsOf(config.http?.routers ?? {}, 'Host').filter(claim => sni.has(claim))).toEqual([])
  })

  property('gives each router and service a name of its own', given => {
    const { config, outcomes } = compileScenario(given)
    for (const protocol of PROTOCOLS)
      for (const kind of ['routers', 'services'] as const) {
        const ours = Object.keys(config[protocol]?.[kind] ?? {}).filter(name => !/^(?:tombstone|fairlead-)/.test(name))
        const told = outcomes.filter(({ key }) => key.startsWith(`${protocol}/`)).flatMap(outcome => outcome[kind])
        expect(told.toSorted()).toEqual(ours.toSorted())
      }
  })

  property('fits the version of the running Traefik', given => {
    const { tcp } = decoded(compileScenario(given))
    const [, minor = '3', patch = '0'] = given.view.observed?.version?.split('.') ?? []
    const at = Number(minor) * 100 + Number(patch)
    const body = JSON.stringify(tcp ?? {})
    if (at < 600) expect(body).not.toContain('"healthCheck"')
    if (at < 503) expect(JSON.stringify(tcp?.serversTransports ?? {})).not.toContain('proxyProtocol')
    if (at < 700) expect(body).not.toMatch(/HostSNI\(`\*\./)
  })

  property('reads the same as YAML and as JSON', given => {
    const { config } = compileScenario(given)
    const { body, hash } = makeSnapshot(config)
    const read: unknown = parseYaml(body, { merge: true })
    expect(read).toEqual(JSON.parse(body))
    const beacon = { [beaconName(hash)]: { loadBalancer: { servers: [] } } }
    const whole = { ...config, tcp: { ...config.tcp, services: { ...config.tcp?.services, ...beacon } } }
    expect(read).toEqual(JSON.parse(JSON.stringify(whole)))
  })

  test('reads the same in chunks joined by merge keys', () => {
    const node = nodeWith({ ports: { tcp: portSet('10000-10999'), udp: portSet('11000-11999') } })
    const wire = stateWith({
      routes: Array.from({ length: 450 }, (_, i) => httpRoute({ id: `w${i}`, domain: `h${i}.example.com` })),
      tcpRoutes: Array.from({ length: 500 }, (_, i) =>
        tcpRoute({ id: `t${i}`, externalPort: 10000 + i, allowCidrs: ['10.0.0.0/8'] }),
      ),
      udpRoutes: Array.from({ length: 300 }, (_, i) => udpRoute({ id: `u${i}`, externalPort: 11000 + i })),
    })
    const candidates = mergeSources(
      [{ rank: 1, routes: wire.routes.map(route => ({ route, origin: 'cp' })) }],
      {},
      NOW,
    ).candidates
    const { config } = compile({ candidates, node, view: viewOf(null), certificates: [], challengeUrl: null })
    const { body, hash } = makeSnapshot(config)
    expect(() => JSON.parse(body)).toThrow(SyntaxError)
    const beacon = { [beaconName(hash)]: { loadBalancer: { servers: [] } } }
    const whole = { ...config, tcp: { ...config.tcp, services: { ...config.tcp?.services, ...beacon } } }
    expect(parseYaml(body, { merge: true, uniqueKeys: true })).toEqual(JSON.parse(JSON.stringify(whole)))
  })

  property('carries the beacon of its own hash', given => {
    const { config } = compileScenario(given)
    const { body, hash } = makeSnapshot(config)
    const services = Object.keys(decoded({ ...compileScenario(given) }).tcp?.services ?? {})
    expect(services.filter(name => beaconHash(name) !== null)).toEqual([beaconName(hash)])
    expect(makeSnapshot(config)).toEqual({ body, hash })
  })
})

describe('a rule', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc
      .tuple(
        fc.constantFrom(...HOSTS),
        fc.constantFrom('', '`', '`) || HostSNI(`*', '.', '\n', '\\', '"', ' // x', '║', '\u00ad'),
        fc.constantFrom(...HOSTS),
      )
      .map(parts => parts.join('')),
  )

  propertyTest.prop([text, fc.boolean()], { numRuns: 500 })(
    'is a refusal or one matcher of that host',
    (sniHostname, wildcards) => {
      const parsed = parseHostName(sniHostname)
      if (!parsed.ok) return
      const pattern = (host: string) => `^[^.]+${host.slice(1).replaceAll('.', '\\.')}$`
      const isWild = parsed.host.startsWith('*.')
      expect(parsed.host).toMatch(/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/)
      expect(hostSniRule(parsed.host, wildcards)).toBe(
        isWild && !wildcards ? `HostSNIRegexp(\`${pattern(parsed.host)}\`)` : `HostSNI(\`${parsed.host}\`)`,
      )
      expect(hostRule(parsed.host)).toBe(
        isWild ? `HostRegexp(\`${pattern(parsed.host)}\`)` : `Host(\`${parsed.host}\`)`,
      )
    },
  )

  propertyTest.prop([text, text], { numRuns: 200 })(
    'comes from a route as the host alone says',
    (sniHostname, domain) => {
      const wire = { tcpRoutes: [tcpRoute({ sniHostname })], routes: [httpRoute({ domain })] }
      const result = compiled(candidatesFrom({}, wire), viewOf(traefikWith()))
      const sni = parseHostName(sniHostname)
      const host = parseHostName(domain)
      const none = sniHostname === '' || sniHostname === '*'
      expect(result.config.tcp?.routers?.tcp_pg?.rule).toBe(
        none ? 'HostSNI(`*`)' : sni.ok ? hostSniRule(sni.host, true) : undefined,
      )
      expect(result.config.http?.routers?.http_web?.rule).toBe(host.ok ? hostRule(host.host) : undefined)
    },
  )
})

describe('a route', () => {
  propertyTest.prop([scenario, fc.array(tampered(tcpWire()), { minLength: 1, maxLength: 3 })])(
    'that cannot be read changes no byte for the others',
    (given, entries) => {
      const bad = entries.filter(entry => stateWith({ tcpRoutes: [entry] }).routes.length === 0)
      const more = { ...given.controlPlane, tcpRoutes: [...bad, ...(given.controlPlane.tcpRoutes ?? [])] }
      expect(bytes(compileScenario({ ...given, controlPlane: more }))).toBe(bytes(compileScenario(given)))
    },
  )

  property('that is rejected or conflicted changes no byte for the others', given => {
    const candidates = candidatesFrom(given.files, given.controlPlane)
    const all = compiled(candidates, given.view)
    // One that waits for an entry point, or for another provider's router to go, still holds its claim.
    const out = new Set(
      all.outcomes
        .filter(
          ({ problem }) =>
            problem !== null && problem.code !== 'FOREIGN_ROUTER' && REASONS[problem.code].verdict !== 'waiting',
        )
        .map(({ candidate }) => candidate),
    )
    expect(
      bytes(
        compiled(
          candidates.filter(candidate => !out.has(candidate)),
          given.view,
        ),
      ),
    ).toBe(bytes(all))
  })

  property('has one outcome, served or with a reason', given => {
    const candidates = candidatesFrom(given.files, given.controlPlane)
    const { outcomes } = compiled(candidates, given.view)
    const seen = new Set(outcomes.map(({ candidate }) => candidate))
    expect([outcomes.length, seen.size]).toEqual([candidates.length, candidates.length])
    for (const { problem, routers, services, entryPoints } of outcomes) {
      const parts = [routers.length > 0, services.length > 0, entryPoints.length > 0]
      expect(parts).toEqual(problem === null ? [true, true, true] : [false, false, false])
      if (problem !== null) expect(['rejected', 'conflicted', 'waiting']).toContain(REASONS[problem.code].verdict)
    }
  })

  property('that gives way names one that is served or waits', given => {
    const { outcomes } = compileScenario(given)
    const holders = (of: (outcome: RouteOutcome) => boolean) => outcomes.filter(of).map(({ key }) => key)
    const kept = holders(
      ({ problem }) =>
        problem === null || problem.code === 'FOREIGN_ROUTER' || REASONS[problem.code].verdict === 'waiting',
    )
    for (const { problem } of outcomes)
      if (problem?.code === 'PORT_TAKEN_BY_ROUTE' || problem?.code === 'HOST_TAKEN_BY_ROUTE')
        expect(kept.some(key => problem.message.includes(`is held by ${key} (`))).toBe(true)
  })

  propertyTest.prop([goodLists(), fc.integer({ min: -2, max: 8 })])(
    'whose end is over is never compiled',
    (wire, day) => {
      const now = Date.UTC(2026, 0, 1 + day)
      const withEnd = (entry: unknown, i: number) => ({
        ...(entry as WireRoute),
        expiresAt: new Date(Date.UTC(2026, 0, 1 + (i % 6))).toISOString(),
      })
      const state = stateWith({
        routes: wire.routes.map(withEnd),
        tcpRoutes: wire.tcpRoutes.map(withEnd),
        udpRoutes: wire.udpRoutes.map(withEnd),
      })
      const merged = mergeSources([{ rank: 1, routes: state.routes.map(route => ({ route, origin: 'cp' })) }], {}, now)
      const { outcomes } = compiled(merged.candidates, viewOf(traefikWith()))
      expect(outcomes.filter(({ candidate }) => (candidate.route.expiresAt ?? now) <= now)).toEqual([])
      expect(merged.expired.length + merged.candidates.length).toBe(state.routes.length)
    },
  )

  property('sends nothing to the node itself', given => {
    const { http, tcp, udp } = decoded(compileScenario(given))
    const forbidden = /^(?:127\.|0\.|169\.254\.|\[::1?\])/
    // On TCP the node itself answers on these; it may have upstreams beside them.
    const own = /^192\.0\.2\.10:(?:80|443|7480|7481|8080)$/
    for (const service of [...Object.values(tcp?.services ?? {}), ...Object.values(udp?.services ?? {})])
      if ('loadBalancer' in service)
        for (const { address } of service.loadBalancer.servers) expect(address).not.toMatch(forbidden)
    for (const service of Object.values(tcp?.services ?? {}))
      if ('loadBalancer' in service)
        for (const { address } of service.loadBalancer.servers) expect(address).not.toMatch(own)
    for (const [name, { loadBalancer }] of Object.entries(http?.services ?? {}))
      for (const { url } of name === 'fairlead-acme-challenge' ? [] : loadBalancer.servers)
        for (const pattern of [forbidden, own]) expect(url.replace(/^\w+:\/\//, '')).not.toMatch(pattern)
  })
})

describe('a tombstone', () => {
  const foreignOn = (given: Scenario, name: string): ForeignRouter[] =>
    (given.view.observed?.foreignRouters ?? []).filter(router => router.entryPoints.includes(name))

  property('stands only where nobody is in its way', given => {
    const config = decoded(compileScenario(given))
    const allowed = given.view.tombstones
    for (const protocol of ['tcp', 'udp'] as const)
      for (const [name, router] of routersIn(config, protocol)) {
        if (!name.startsWith('tombstone_')) continue
        expect(router.service).toBe('tombstone')
        for (const entryPoint of router.entryPoints) {
          const beside = routersIn(config, protocol).some(
            ([other, { entryPoints }]) => !other.startsWith('tombstone_') && entryPoints.includes(entryPoint),
          )
          if (allowed !== 'everywhere') expect(allowed.has(entryPoint) || beside).toBe(true)
          expect(['web', 'websecure', 'traefik']).not.toContain(entryPoint)
          expect(
            foreignOn(given, entryPoint).filter(other => (protocol === 'udp') === (other.protocol === 'udp')),
          ).toEqual([])
        }
      }
    expect((config.http?.services as Record<string, unknown> | undefined)?.tombstone).toBeUndefined()
  })

  property('or a route stands on every free pool port', given => {
    const config = decoded(compileScenario(given))
    const entryPoints = given.view.observed?.entryPoints ?? ENTRY_POINTS
    for (const { name, port, protocol } of entryPoints) {
      if (!NODE.ports[protocol].has(port) || foreignOn(given, name).length > 0) continue
      if (given.view.tombstones !== 'everywhere' && !given.view.tombstones.has(name)) continue
      const routers = routersIn(config, protocol).filter(([, router]) => router.entryPoints.includes(name))
      const rules = routers.map(([id]) => config.tcp?.routers?.[id]).filter(router => router?.rule === 'HostSNI(`*`)')
      if (protocol === 'udp') expect([name, routers.length]).toEqual([name, 1])
      // Plain clients are answered or closed, and so is TLS when the port knows host names.
      else {
        expect([name, rules.some(router => router?.tls === undefined)]).toEqual([name, true])
        if (routers.some(([id]) => config.tcp?.routers?.[id]?.tls !== undefined))
          expect([name, rules.some(router => router?.tls !== undefined)]).toEqual([name, true])
      }
    }
  })
})

describe('certificates', () => {
  let pair: TestCertificate
  beforeAll(async () => {
    pair = await selfSigned('a.example.com')
  })

  propertyTest.prop([scenario, fc.boolean()], { numRuns: 40 })(
    'leave with their keys only behind a token',
    (given, token) => {
      const { certificates } = stateWith({
        certificates: [{ domain: 'a.example.com', certificate: pair.cert, certificateKey: pair.key }],
      })
      const candidates = candidatesFrom(given.files, given.controlPlane)
      const node = nodeWith({ certificates: token })
      const result = compile({ candidates, node, view: given.view, certificates, challengeUrl: null })
      expect(bytes(result).includes('PRIVATE KEY')).toBe(token)
      expect(JSON.stringify(result.outcomes)).not.toContain('PRIVATE KEY')
      const degraded = result.outcomes.filter(outcome => outcome.degraded?.code === 'CERTIFICATE_NEEDS_TOKEN')
      const due = result.outcomes.filter(
        ({ problem, candidate: { route } }) =>
          !token &&
          problem === null &&
          (route.protocol === 'http'
            ? route.domain
            : route.protocol === 'tcp' && route.tls === 'terminate' && route.sniHostname) === 'a.example.com' &&
          route.upstreams.length > 0,
      )
      expect(degraded).toEqual(due)
    },
  )
})

describe('a certificate without a token', () => {
  test.each([
    ['a.example.com', ['http/exact']],
    ['*.example.com', ['http/exact', 'http/wild']],
    ['*.a.example.com', []],
    ['example.com', []],
    ['com', []],
  ])('%s degrades %j', (domain, degraded) => {
    const wire = {
      routes: [
        httpRoute({ id: 'exact', domain: 'a.example.com' }),
        httpRoute({ id: 'wild', domain: '*.example.com' }),
        httpRoute({ id: 'deep', domain: 'x.b.example.com' }),
        httpRoute({ id: 'single', domain: 'm' }),
      ],
      tcpRoutes: [tcpRoute({ sniHostname: 'a.example.com' })],
    }
    const certificates = [{ domain, certificate: 'C', certificateKey: 'K' }]
    const candidates = candidatesFrom({}, wire)
    const result = compile({ candidates, node: NODE, view: viewOf(traefikWith()), certificates, challengeUrl: null })
    expect(result.outcomes.flatMap(({ key, degraded: why }) => (why === null ? [] : [`${key} ${why.code}`]))).toEqual(
      degraded.map(key => `${key} CERTIFICATE_NEEDS_TOKEN`),
    )
    expect(result.config).not.toHaveProperty('tls')
  })

  test('behind a token each stands once, in one order', () => {
    const certificates = ['b', 'a', 'b'].map(text => ({
      domain: `${text}.example.com`,
      certificate: text,
      certificateKey: `K${text}`,
    }))
    const tls = (given: typeof certificates) =>
      compile({
        candidates: [],
        node: nodeWith({ certificates: true }),
        view: viewOf(null),
        certificates: given,
        challengeUrl: null,
      }).config.tls
    expect(tls(certificates)).toEqual({
      certificates: [
        { certFile: 'a', keyFile: 'Ka' },
        { certFile: 'b', keyFile: 'Kb' },
      ],
    })
    expect(tls(certificates.toReversed())).toEqual(tls(certificates))
  })
})

describe('SPEC.md', () => {
  const spec = readFileSync(new URL('../../src/core/SPEC.md', import.meta.url), 'utf8')
  const rows = [...spec.matchAll(/^\*\*I(\d+)\*\* .*?(?=\n\n|\n\*\*I|\n#|$(?![\s\S]))/gms)]
  const holders = rows.flatMap(([row, number]) =>
    [...row.matchAll(/`(test\/[a-z0-9/-]+\.test\.ts)`: "([^"]+)"/g)].map(([, file = '', title = '']) => ({
      number,
      file,
      title,
    })),
  )

  test('invariants are numbered without a gap', () => {
    expect(rows.map(([, number]) => Number(number))).toEqual(rows.map((_, i) => i + 1))
    expect(rows.length).toBeGreaterThan(20)
  })

  test('every invariant names a test', () => {
    expect(
      rows.map(([, number]) => number).filter(number => !holders.some(holder => holder.number === number)),
    ).toEqual([])
  })

  test.each(holders)('I$number is held by $title', ({ file, title }) => {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    const quoted = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    expect(new RegExp(`\\(\\s*['"\`]${quoted}['"\`],`).test(source)).toBe(true)
  })
})
