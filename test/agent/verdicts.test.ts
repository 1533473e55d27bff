import { describe, expect, test } from 'vitest'
import type { PublicationView } from '../../src/agent/publication.ts'
import type { Round } from '../../src/agent/reconcile.ts'
import type { Observation } from '../../src/agent/traefik/observer.ts'
import { createVerdicts, evidenceOf } from '../../src/agent/verdicts.ts'
import { servedCandidates } from '../../src/core/changes.ts'
import { NO_DRIFT } from '../../src/core/drift.ts'
import type { ForeignRouter } from '../../src/core/observed.ts'
import { makePlan } from '../../src/core/plan.ts'
import type { ProbeResult } from '../../src/core/probe/probe.ts'
import type { RouteKey } from '../../src/core/problem.ts'
import type { RestartCost } from '../../src/core/restart-cost.ts'
import { ENTRY_POINTS, type Lists, NODE, stateWith, tcpRoute, traefikWith, viewOf } from '../support/builders.ts'
import { NO_RUNTIME, observationOf, rawdataOf, runtimeOf } from '../support/observed.ts'
import { NOTHING_YET } from '../support/status.ts'

const PG: Lists = { tcpRoutes: [tcpRoute({ claimedAt: '2026-01-01T00:00:00Z' })] }
const UNREACHABLE: Observation['fault'] = { kind: 'unreachable', message: 'it cannot be reached', since: 0 }

function roundOf(lists: Lists, revision: number | string = 1, entryPoints = ENTRY_POINTS): Round {
  const routes = stateWith({ ...lists }).routes.map(route => ({ route, origin: 'test' }))
  const plan = makePlan({
    sources: [{ rank: 1, routes, problems: [], certificates: [], challengeUrl: null }],
    firstSeen: {},
    node: NODE,
    view: viewOf(traefikWith({ entryPoints })),
    nowMs: 0,
    refused: new Map(),
    oldestFields: false,
  })
  return { plan, revision, compileMs: 1, compiledAt: 900 }
}

const appliedView = ({ plan, revision }: Round): PublicationView => ({
  current: plan.snapshot,
  polled: true,
  applied: {
    snapshot: plan.snapshot,
    candidates: servedCandidates(plan.compiled.outcomes),
    revision,
    config: plan.compiled.config,
    version: '3.7.15',
  },
  phase: 'steady',
  lastLiveMs: 20,
  ...NOTHING_YET,
})

const showing = (round: Round): Observation => observationOf(runtimeOf(rawdataOf(round.plan.compiled.config)))

/** Verdicts over what a test says; it may say something else later. */
function make(round: Round | null) {
  const now = {
    round,
    view: round === null ? null : appliedView(round),
    observation: round === null ? null : (showing(round) as Observation | null),
    held: new Map<RouteKey, string>() as ReadonlyMap<RouteKey, string>,
    probes: new Map<RouteKey, ProbeResult>() as ReadonlyMap<RouteKey, ProbeResult>,
    tokenRefused: false,
    wanted: false,
    cost: null as RestartCost | null,
    ms: 1000,
  }
  const verdicts = createVerdicts({
    round: () => now.round,
    publication: () =>
      now.view ?? { current: null, polled: false, applied: null, phase: 'steady', lastLiveMs: null, ...NOTHING_YET },
    tokenRefused: () => now.tokenRefused,
    restart: { want: wanted => void Object.assign(now, { wanted }), cost: () => now.cost },
    observation: () => now.observation,
    heldReasons: () => now.held,
    failedProbes: () => now.probes,
    ports: NODE.ports,
    now: () => now.ms,
  })
  const rows = () => {
    verdicts.refresh()
    return verdicts.all().map(({ id, verdict, reason, since, revision }) => ({ id, verdict, reason, since, revision }))
  }
  return { now, verdicts, rows }
}

describe('the verdicts', () => {
  test('before the first round there are none', () => {
    const { rows, verdicts } = make(null)
    expect([rows(), verdicts.drift()]).toEqual([[], NO_DRIFT])
  })

  test('each has its reason, its revision and its beginning', () => {
    const { rows } = make(roundOf(PG, 42))
    expect(rows()).toEqual([{ id: 'pg', verdict: 'live', reason: 'LIVE', since: 1000, revision: 42 }])
  })

  test('a fault changes them, and so does its end', () => {
    const { now, rows } = make(roundOf(PG))
    rows()
    const good = now.observation
    Object.assign(now, { ms: 2000, observation: good === null ? null : { ...good, fault: UNREACHABLE } })
    expect(rows()).toEqual([{ id: 'pg', verdict: 'pending', reason: 'API_UNREACHABLE', since: 2000, revision: 1 }])
    Object.assign(now, { ms: 3000, observation: good })
    expect(rows()).toEqual([{ id: 'pg', verdict: 'live', reason: 'LIVE', since: 3000, revision: 1 }])
  })

  test('a new look that shows the same changes nothing', () => {
    const round = roundOf(PG)
    const { now, rows } = make(round)
    const before = rows()
    Object.assign(now, { ms: 9000, observation: showing(round) })
    expect(rows()).toEqual(before)
  })

  test('nothing is judged anew while nothing has changed', () => {
    const { now, verdicts } = make(roundOf(PG))
    verdicts.refresh()
    const all = verdicts.all()
    now.ms = 2000
    verdicts.refresh()
    expect(verdicts.all()).toBe(all)
  })

  test('one that waits for a restart says what it would cut', () => {
    const { now, verdicts } = make(roundOf(PG, 1, []))
    verdicts.refresh()
    expect([verdicts.all()[0]?.reason, now.wanted]).toEqual(['ENTRY_POINT_MISSING', true])
    now.cost = { openConnections: 12 }
    verdicts.refresh()
    expect(verdicts.all()[0]?.remedy).toMatch(/^A restart would cut 12 open connections\. Add these lines/)
  })

  test('nobody asks what a restart costs while nobody waits for one', () => {
    const { now, verdicts } = make(roundOf(PG))
    verdicts.refresh()
    expect(now.wanted).toBe(false)
  })

  test('a held route says so', () => {
    const { now, rows } = make(roundOf(PG))
    now.held = new Map([['tcp/pg', 'the new state drops it']])
    expect(rows()[0]).toMatchObject({ verdict: 'held', reason: 'MASS_REMOVAL' })
  })
})

describe('the drift', () => {
  const foreign: ForeignRouter = {
    name: 'x@file',
    protocol: 'tcp',
    entryPoints: ['tcp-10002'],
    rule: null,
    tls: false,
  }
  const elsewhere: ForeignRouter = { ...foreign, name: 'y@file', entryPoints: ['websecure'] }

  test('from what was applied to what is shown', () => {
    const { now, verdicts } = make(roundOf(PG))
    now.observation = observationOf(NO_RUNTIME)
    verdicts.refresh()
    expect(verdicts.drift()).toMatchObject({ beaconMissing: true, sections: ['tcp', 'udp'] })
    expect(verdicts.drift().entries).toContainEqual({
      kind: 'missing',
      protocol: 'tcp',
      what: 'router',
      name: 'tcp_pg',
      detail: null,
    })
  })

  test.each<[string, (view: PublicationView) => Partial<PublicationView>]>([
    ['a body that is on its way', () => ({ current: { hash: 'ab'.repeat(32), body: '{}' } })],
    ['a Traefik that has restarted', () => ({ applied: null })],
    [
      'a body of the run before',
      ({ applied }) => ({ applied: applied === null ? null : { ...applied, config: null } }),
    ],
  ])('%s is none', (_, change) => {
    const round = roundOf(PG)
    const { now, verdicts } = make(round)
    const view = appliedView(round)
    Object.assign(now, { view: { ...view, ...change(view) }, observation: observationOf(NO_RUNTIME) })
    verdicts.refresh()
    expect(verdicts.drift()).toEqual(NO_DRIFT)
  })

  test('while nobody can look there is none', () => {
    const { now, verdicts } = make(roundOf(PG))
    now.observation = { ...observationOf(NO_RUNTIME), fault: UNREACHABLE }
    verdicts.refresh()
    expect(verdicts.drift()).toEqual(NO_DRIFT)
  })

  test('routers of others count on entry points of the pools, always', () => {
    const round = roundOf(PG)
    const { now, verdicts } = make(round)
    const { runtime } = showing(round).reading ?? { runtime: NO_RUNTIME }
    const others = { ...runtime, foreignRouters: [foreign, elsewhere] }
    now.observation = observationOf(others)
    verdicts.refresh()
    expect(verdicts.drift()).toEqual({ ...NO_DRIFT, foreign: [foreign] })
    Object.assign(now, { view: { ...appliedView(round), applied: null }, observation: observationOf(others) })
    verdicts.refresh()
    expect(verdicts.drift()).toEqual({ ...NO_DRIFT, foreign: [foreign] })
  })
})

describe('what is known of Traefik', () => {
  const good = observationOf(NO_RUNTIME)
  test.each<[string, Observation | null, ReturnType<typeof evidenceOf>]>([
    ['no API', null, { kind: 'none' }],
    ['read', good, { kind: 'read', runtime: NO_RUNTIME }],
    ['not read yet', { ...good, reading: null }, { kind: 'fault', message: "Traefik's API has not been read yet" }],
    ['read before, and not now', { ...good, fault: UNREACHABLE }, { kind: 'fault', message: 'it cannot be reached' }],
  ])('%s', (_, observation, expected) => {
    expect(evidenceOf(observation)).toEqual(expected)
  })
})
