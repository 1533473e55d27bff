import { spawnSync } from 'node:child_process'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { createMetrics, type Metrics } from '../../../src/agent/metrics/metrics.ts'
import type { MetricsView } from '../../../src/agent/metrics/state-metrics.ts'
import { REASONS, VERDICTS } from '../../../src/core/verdict.ts'
import { part } from '../../support/parts.ts'

const NOW = 1_764_000_100_000
const iso = (ms: number): string => new Date(ms).toISOString()

const view: MetricsView = {
  version: '1.2.3',
  revision: { expected: 42, served: 42, applied: 41 },
  traefik: { state: 'verified', api: 'http://127.0.0.1:8080', fault: null, pollers: 1 },
  routes: [
    { protocol: 'tcp', verdict: 'live', reason: 'LIVE', probe: { ok: true, periodic: true } },
    { protocol: 'tcp', verdict: 'live', reason: 'LIVE', probe: { ok: false, periodic: false } },
    { protocol: 'tcp', verdict: 'waiting', reason: 'ENTRY_POINT_MISSING' },
    { protocol: 'udp', verdict: 'pending', reason: 'NOT_YET_POLLED' },
    { protocol: 'http', verdict: 'conflicted', reason: 'HOST_TAKEN_BY_ROUTE', probe: { ok: false, periodic: true } },
  ],
  problems: [{ code: 'DOCUMENT_INVALID' }],
  unknownFields: [{ count: 2 }, { count: 1 }],
  sources: [
    { name: 'files', lastAttemptAt: iso(NOW - 1_000), lastSuccessAt: iso(NOW - 1_000), fault: null },
    { name: 'control-plane', lastAttemptAt: iso(NOW - 500), lastSuccessAt: iso(NOW - 60_000), fault: { code: 'X' } },
  ],
  held: [{ source: 'control-plane', removals: ['tcp/a', 'tcp/b'] }],
  drift: { missing: 2, extra: 0, different: 1, disabled: 0, beaconMissing: true },
  publication: { hash: 'a'.repeat(64), phase: 'steady' },
  store: { fault: null },
}

function metricsOf(processMetrics = false): { metrics: Metrics; registry: Registry } {
  const registry = new Registry()
  return { metrics: createMetrics(registry, { now: () => NOW, processMetrics }), registry }
}

/** All samples of a metric as Prometheus would read them: `name{labels}` to value. */
async function samples(registry: Registry, name: string): Promise<Record<string, number>> {
  const text = await registry.getSingleMetricAsString(name)
  return Object.fromEntries(
    text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), Number(line.slice(at + 1))]
      }),
  )
}

const nonZero = (all: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0))

describe('states', () => {
  test('before the view is known there are no samples', async () => {
    const { registry } = metricsOf()
    for (const name of ['fairlead_routes', 'fairlead_expected_revision', 'fairlead_in_sync', 'fairlead_unknown_fields'])
      expect(await samples(registry, name)).toEqual({})
  })

  test.each<[name: string, expected: Record<string, number>]>([
    ['fairlead_build_info', { 'fairlead_build_info{version="1.2.3"}': 1 }],
    ['fairlead_expected_revision', { fairlead_expected_revision: 42 }],
    ['fairlead_served_revision', { fairlead_served_revision: 42 }],
    ['fairlead_applied_revision', { fairlead_applied_revision: 41 }],
    ['fairlead_in_sync', { fairlead_in_sync: 0 }],
    [
      'fairlead_source_up',
      { 'fairlead_source_up{source="files"}': 1, 'fairlead_source_up{source="control-plane"}': 0 },
    ],
    [
      'fairlead_state_stale_seconds',
      {
        'fairlead_state_stale_seconds{source="files"}': 1,
        'fairlead_state_stale_seconds{source="control-plane"}': 60,
      },
    ],
    [
      'fairlead_source_last_attempt_timestamp_seconds',
      {
        'fairlead_source_last_attempt_timestamp_seconds{source="files"}': NOW / 1000 - 1,
        'fairlead_source_last_attempt_timestamp_seconds{source="control-plane"}': NOW / 1000 - 0.5,
      },
    ],
    [
      'fairlead_source_last_success_timestamp_seconds',
      {
        'fairlead_source_last_success_timestamp_seconds{source="files"}': NOW / 1000 - 1,
        'fairlead_source_last_success_timestamp_seconds{source="control-plane"}': NOW / 1000 - 60,
      },
    ],
    ['fairlead_unknown_fields', { fairlead_unknown_fields: 3 }],
    [
      'fairlead_routes_probed',
      {
        'fairlead_routes_probed{protocol="http"}': 1,
        'fairlead_routes_probed{protocol="tcp"}': 1,
        'fairlead_routes_probed{protocol="udp"}': 0,
      },
    ],
    [
      'fairlead_routes_probe_failed',
      {
        'fairlead_routes_probe_failed{protocol="http"}': 1,
        'fairlead_routes_probe_failed{protocol="tcp"}': 0,
        'fairlead_routes_probe_failed{protocol="udp"}': 0,
      },
    ],
    [
      'fairlead_entry_points_missing',
      {
        'fairlead_entry_points_missing{protocol="http"}': 0,
        'fairlead_entry_points_missing{protocol="tcp"}': 1,
        'fairlead_entry_points_missing{protocol="udp"}': 0,
      },
    ],
    [
      'fairlead_traefik_state',
      {
        'fairlead_traefik_state{state="verified"}': 1,
        'fairlead_traefik_state{state="unverified"}': 0,
        'fairlead_traefik_state{state="down"}': 0,
        'fairlead_traefik_state{state="never-polled"}': 0,
      },
    ],
    ['fairlead_ports', {}],
    ['fairlead_ready', { fairlead_ready: 1 }],
    ['fairlead_snapshot_persisted', { fairlead_snapshot_persisted: 1 }],
    ['fairlead_traefik_api_up', { fairlead_traefik_api_up: 1 }],
    ['fairlead_provider_pollers', { fairlead_provider_pollers: 1 }],
    [
      'fairlead_publication_phase',
      {
        'fairlead_publication_phase{phase="steady"}': 1,
        'fairlead_publication_phase{phase="restoring"}': 0,
        'fairlead_publication_phase{phase="oldest"}': 0,
        'fairlead_publication_phase{phase="trial"}': 0,
      },
    ],
    [
      'fairlead_drift',
      {
        'fairlead_drift{kind="missing"}': 2,
        'fairlead_drift{kind="extra"}': 0,
        'fairlead_drift{kind="different"}': 1,
        'fairlead_drift{kind="disabled"}': 0,
        'fairlead_drift{kind="beacon"}': 1,
      },
    ],
    [
      'fairlead_guard_held_routes',
      {
        'fairlead_guard_held_routes{source="files"}': 0,
        'fairlead_guard_held_routes{source="control-plane"}': 2,
      },
    ],
  ])('%s is read at the scrape', async (name, expected) => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => view)
    expect(await samples(registry, name)).toEqual(expected)
  })

  test('routes have a series for each protocol and verdict', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => view)
    const all = await samples(registry, 'fairlead_routes')
    expect(Object.keys(all)).toHaveLength(3 * VERDICTS.length)
    expect(nonZero(all)).toEqual({
      'fairlead_routes{protocol="tcp",verdict="live"}': 2,
      'fairlead_routes{protocol="tcp",verdict="waiting"}': 1,
      'fairlead_routes{protocol="udp",verdict="pending"}': 1,
      'fairlead_routes{protocol="http",verdict="conflicted"}': 1,
    })
  })

  test('problems count what is not in order, by code', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => view)
    const all = await samples(registry, 'fairlead_problems')
    const codes = Object.entries(REASONS).filter(([, { verdict }]) => verdict !== 'live' && verdict !== 'pending')
    expect(Object.keys(all).sort()).toEqual(codes.map(([code]) => `fairlead_problems{code="${code}"}`).sort())
    expect(nonZero(all)).toEqual({
      'fairlead_problems{code="DOCUMENT_INVALID"}': 1,
      'fairlead_problems{code="ENTRY_POINT_MISSING"}': 1,
      'fairlead_problems{code="HOST_TAKEN_BY_ROUTE"}': 1,
    })
  })

  test('the pools show used and free numbers', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(
      () => view,
      () => ({ tcp: { used: 3, free: 95, missing: 2 }, udp: { used: 0, free: 100 } }),
    )
    expect(await samples(registry, 'fairlead_ports')).toEqual({
      'fairlead_ports{protocol="tcp",state="used"}': 3,
      'fairlead_ports{protocol="tcp",state="free"}': 95,
      'fairlead_ports{protocol="tcp",state="missing"}': 2,
      'fairlead_ports{protocol="udp",state="used"}': 0,
      'fairlead_ports{protocol="udp",state="free"}': 100,
    })
  })

  test('each scrape reads anew, and only once', async () => {
    const { metrics, registry } = metricsOf()
    let reads = 0
    let revision = 1
    metrics.observe(() => {
      reads += 1
      return { ...view, revision: { expected: revision, served: revision, applied: revision } }
    })
    expect(await registry.metrics()).toContain('fairlead_applied_revision 1\n')
    expect(reads).toBe(1)
    revision = 2
    const text = await registry.metrics()
    expect(text).toContain('fairlead_applied_revision 2\n')
    expect(text).toContain('fairlead_in_sync 1\n')
    expect(reads).toBe(2)
  })

  test('a revision that is a hash is no number, and in sync counts', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => ({ ...view, revision: { expected: 'a1', served: 'a1', applied: 'a1' } }))
    expect(await samples(registry, 'fairlead_expected_revision')).toEqual({})
    expect(await samples(registry, 'fairlead_in_sync')).toEqual({ fairlead_in_sync: 1 })
  })

  test('what is wrong now shows as 0', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => ({
      ...view,
      traefik: { state: 'down', api: 'http://127.0.0.1:8080', fault: 'it cannot be reached', pollers: 0 },
      publication: { hash: null, phase: 'steady' },
      store: { fault: { code: 'SNAPSHOT_DISK_FULL' } },
    }))
    expect(await samples(registry, 'fairlead_ready')).toEqual({ fairlead_ready: 0 })
    expect(await samples(registry, 'fairlead_snapshot_persisted')).toEqual({ fairlead_snapshot_persisted: 0 })
    expect(await samples(registry, 'fairlead_traefik_api_up')).toEqual({ fairlead_traefik_api_up: 0 })
  })

  test('without an API nobody says whether it is up', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => ({ ...view, traefik: { state: 'unverified', api: null, fault: null, pollers: 1 } }))
    expect(await samples(registry, 'fairlead_traefik_api_up')).toEqual({})
  })

  test('nothing expected yet is not in sync', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => ({ ...view, revision: { expected: null, served: null, applied: null } }))
    expect(await samples(registry, 'fairlead_in_sync')).toEqual({ fairlead_in_sync: 0 })
  })

  test('a gone source and a gone number leave no sample', async () => {
    const { metrics, registry } = metricsOf()
    metrics.observe(() => view)
    await registry.metrics()
    metrics.observe(() => ({ ...view, sources: [], revision: { expected: null, served: null, applied: null } }))
    expect(await samples(registry, 'fairlead_source_up')).toEqual({})
    expect(await samples(registry, 'fairlead_expected_revision')).toEqual({})
  })

  test('staleness counts from the start, and is never negative', async () => {
    let now = NOW
    const registry = new Registry()
    const metrics = createMetrics(registry, { now: () => now, processMetrics: false })
    const source = (lastSuccessAt: string | null) => ({
      ...view,
      sources: [{ name: 'files' as const, lastAttemptAt: null, lastSuccessAt, fault: null }],
    })
    metrics.observe(() => source(null))
    now = NOW + 30_000
    expect(await samples(registry, 'fairlead_state_stale_seconds')).toEqual({
      'fairlead_state_stale_seconds{source="files"}': 30,
    })
    expect(await samples(registry, 'fairlead_source_up')).toEqual({ 'fairlead_source_up{source="files"}': 0 })
    expect(await samples(registry, 'fairlead_source_last_attempt_timestamp_seconds')).toEqual({})
    metrics.observe(() => source(iso(NOW + 365 * 86_400_000)))
    expect(await samples(registry, 'fairlead_state_stale_seconds')).toEqual({
      'fairlead_state_stale_seconds{source="files"}': 0,
    })
  })

  test('a view that throws costs its own samples', async () => {
    const { metrics, registry } = metricsOf()
    metrics.polled({ status: 200, at: NOW, byTraefik: true })
    metrics.observe(() => {
      throw new Error('fault in the view')
    })
    const text = await registry.metrics()
    expect(text).toContain('fairlead_provider_polls_total{code="200"} 1\n')
    expect(text).not.toContain('fairlead_source_up{')
    expect(Object.values(await samples(registry, 'fairlead_metrics_faults_total'))[0]).toBeGreaterThan(0)
  })
})

describe('events', () => {
  test('what has not happened has no time', async () => {
    const { registry } = metricsOf()
    for (const name of [
      'fairlead_provider_last_poll_timestamp_seconds',
      'fairlead_provider_body_bytes',
      'fairlead_snapshot_last_persist_timestamp_seconds',
      'fairlead_snapshot_last_persist_attempt_timestamp_seconds',
    ])
      expect(await samples(registry, name)).toEqual({})
  })

  test('polls are counted by status, and only one of Traefik for a body is the last', async () => {
    const { metrics, registry } = metricsOf()
    metrics.polled({ status: 200, at: NOW - 5_000, byTraefik: true })
    metrics.polled({ status: 200, at: NOW - 4_000, byTraefik: true })
    metrics.polled({ status: 503, at: NOW, byTraefik: true })
    metrics.polled({ status: 200, at: NOW, byTraefik: false })
    expect(await samples(registry, 'fairlead_provider_polls_total')).toEqual({
      'fairlead_provider_polls_total{code="200"}': 3,
      'fairlead_provider_polls_total{code="503"}': 1,
    })
    expect(await samples(registry, 'fairlead_provider_last_poll_timestamp_seconds')).toEqual({
      fairlead_provider_last_poll_timestamp_seconds: NOW / 1000 - 4,
    })
  })

  test('the size of the body is in bytes', async () => {
    const { metrics, registry } = metricsOf()
    metrics.served({ body: 'ü€' })
    expect(await samples(registry, 'fairlead_provider_body_bytes')).toEqual({ fairlead_provider_body_bytes: 5 })
  })

  test('a compilation is counted in seconds', async () => {
    const { metrics, registry } = metricsOf()
    metrics.compiled(3)
    const all = await samples(registry, 'fairlead_compile_duration_seconds')
    expect(all.fairlead_compile_duration_seconds_sum).toBe(0.003)
    expect(all['fairlead_compile_duration_seconds_bucket{le="0.0025"}']).toBe(0)
    expect(all['fairlead_compile_duration_seconds_bucket{le="0.005"}']).toBe(1)
  })

  test('an applied change is counted in seconds', async () => {
    const { metrics, registry } = metricsOf()
    metrics.applied(61)
    const all = await samples(registry, 'fairlead_apply_duration_seconds')
    expect(all.fairlead_apply_duration_seconds_sum).toBe(0.061)
    expect(all['fairlead_apply_duration_seconds_bucket{le="0.05"}']).toBe(0)
    expect(all['fairlead_apply_duration_seconds_bucket{le="0.1"}']).toBe(1)
  })

  test('a refusal by Traefik is counted', async () => {
    const { metrics, registry } = metricsOf()
    expect(await samples(registry, 'fairlead_nacks_total')).toEqual({ fairlead_nacks_total: 0 })
    metrics.nacked()
    expect(await samples(registry, 'fairlead_nacks_total')).toEqual({ fairlead_nacks_total: 1 })
  })

  test('probes and reports are counted by result', async () => {
    const { metrics, registry } = metricsOf()
    for (const ok of [true, true, false, null]) metrics.probed({ ok })
    expect(await samples(registry, 'fairlead_probes_total')).toEqual({
      'fairlead_probes_total{result="ok"}': 2,
      'fairlead_probes_total{result="failed"}': 1,
      'fairlead_probes_total{result="skipped"}': 1,
    })
    metrics.reported('SOURCE_TIMEOUT')
    expect(await samples(registry, 'fairlead_report_last_success_timestamp_seconds')).toEqual({})
    metrics.reported('ok')
    metrics.reported('no code\n')
    expect(await samples(registry, 'fairlead_reports_total')).toEqual({
      'fairlead_reports_total{result="SOURCE_TIMEOUT"}': 1,
      'fairlead_reports_total{result="ok"}': 1,
      'fairlead_reports_total{result="other"}': 1,
    })
    expect(await samples(registry, 'fairlead_report_last_success_timestamp_seconds')).toEqual({
      fairlead_report_last_success_timestamp_seconds: NOW / 1000,
    })
  })

  test('saves: last attempt, last success and failures', async () => {
    const { metrics, registry } = metricsOf()
    metrics.saved({ ok: true, generation: 1, savedAt: NOW - 60_000, bytes: 100 })
    metrics.saved({ ok: false, code: 'SNAPSHOT_DISK_FULL', message: '', remedy: '' })
    expect(await samples(registry, 'fairlead_snapshot_last_persist_timestamp_seconds')).toEqual({
      fairlead_snapshot_last_persist_timestamp_seconds: NOW / 1000 - 60,
    })
    expect(await samples(registry, 'fairlead_snapshot_last_persist_attempt_timestamp_seconds')).toEqual({
      fairlead_snapshot_last_persist_attempt_timestamp_seconds: NOW / 1000,
    })
    expect(await samples(registry, 'fairlead_snapshot_persist_failures_total')).toEqual({
      fairlead_snapshot_persist_failures_total: 1,
    })
  })

  test('fetches are counted by source and result', async () => {
    const { metrics, registry } = metricsOf()
    metrics.fetched('files', 'ok')
    metrics.fetched('control-plane', 'unchanged')
    metrics.fetched('control-plane', 'unchanged')
    expect(await samples(registry, 'fairlead_source_fetches_total')).toEqual({
      'fairlead_source_fetches_total{source="files",result="ok"}': 1,
      'fairlead_source_fetches_total{source="control-plane",result="unchanged"}': 2,
    })
  })

  test('a result that is a text of others becomes other', async () => {
    const { metrics, registry } = metricsOf()
    metrics.fetched('files', 'https://user:pw@host.example/x')
    for (let i = 0; i < 100; i++) metrics.fetched('files', `CODE_${i}`)
    const all = await samples(registry, 'fairlead_source_fetches_total')
    expect(Object.keys(all)).toHaveLength(65)
    expect(all['fairlead_source_fetches_total{source="files",result="other"}']).toBe(37)
  })

  test('a number that is none throws nothing', async () => {
    const { metrics, registry } = metricsOf()
    metrics.compiled(Object('x'))
    metrics.polled({ status: 200, at: Object('x'), byTraefik: true })
    expect(Object.values(await samples(registry, 'fairlead_metrics_faults_total'))[0]).toBeGreaterThan(0)
  })
})

describe('the whole answer', () => {
  test.skipIf(!part('prometheus'))('promtool has nothing to object to', async () => {
    const { metrics, registry } = metricsOf(true)
    metrics.observe(
      () => view,
      () => ({ tcp: { used: 3, free: 95, missing: 2 }, udp: { used: 0, free: 100 } }),
      {
        upstreams: () => [{ protocol: 'tcp', entryPoint: 'tcp-10001', total: 2, down: 1 }],
        openConnections: async () => new Map([['tcp-10001', 7]]),
        ours: () => new Set(['tcp-10001']),
      },
    )
    metrics.nacked()
    metrics.applied(61)
    metrics.probed({ ok: false })
    metrics.reported('ok')
    metrics.fetched('files', 'ok')
    metrics.compiled(3)
    metrics.served({ body: '{}' })
    metrics.polled({ status: 200, at: NOW, byTraefik: true })
    metrics.saved({ ok: true, generation: 1, savedAt: NOW, bytes: 100 })
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await registry.metrics(),
      encoding: 'utf8',
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('the metrics of the process are there, the misnamed ones not', async () => {
    const { registry } = metricsOf(true)
    const names = registry.getMetricsAsArray().map(({ name }) => name)
    expect(names).toContain('process_resident_memory_bytes')
    expect(names).toContain('process_open_fds')
    expect(names.filter(name => /^nodejs_active_.*_total$/.test(name))).toEqual([])
    // The others are sampled a hundred times a second, idle or not.
    expect(names.filter(name => name.startsWith('nodejs_eventloop_lag'))).toEqual(['nodejs_eventloop_lag_seconds'])
  })

  test('two agents in one process have a registry each', async () => {
    const first = metricsOf()
    const second = metricsOf()
    first.metrics.compiled(1)
    expect(
      (await samples(second.registry, 'fairlead_compile_duration_seconds')).fairlead_compile_duration_seconds_count,
    ).toBe(0)
    expect(() => createMetrics(first.registry)).toThrow('already been registered')
  })
})
