import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { createMetrics, type TrafficView } from '../../../src/agent/metrics/metrics.ts'
import type { UpstreamUse } from '../../../src/core/upstream-use.ts'

const ROWS: readonly UpstreamUse[] = [
  { protocol: 'tcp', entryPoint: 'tcp-10001', total: 2, down: 1 },
  { protocol: 'http', entryPoint: 'websecure', total: 5, down: 0 },
]

const quiet: TrafficView = {
  upstreams: () => ROWS,
  openConnections: async () => new Map(),
  ours: () => new Set(['tcp-10001']),
}

function metricsWith(traffic: Partial<TrafficView>): {
  registry: Registry
  lines: (name: string) => Promise<string[]>
} {
  const registry = new Registry()
  const metrics = createMetrics(registry, { processMetrics: false })
  metrics.observe(
    () => {
      throw new Error('no view in this test')
    },
    undefined,
    { ...quiet, ...traffic },
  )
  const lines = async (name: string): Promise<string[]> =>
    (await registry.getSingleMetricAsString(name)).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return { registry, lines }
}

const faults = async (lines: (name: string) => Promise<string[]>): Promise<string[]> =>
  lines('fairlead_metrics_faults_total')

describe('upstreams', () => {
  test('each entry point has its numbers', async () => {
    const { lines } = metricsWith({})
    expect(await lines('fairlead_upstreams')).toEqual([
      'fairlead_upstreams{protocol="tcp",entry_point="tcp-10001"} 2',
      'fairlead_upstreams{protocol="http",entry_point="websecure"} 5',
    ])
    expect(await lines('fairlead_upstreams_down')).toEqual([
      'fairlead_upstreams_down{protocol="tcp",entry_point="tcp-10001"} 1',
      'fairlead_upstreams_down{protocol="http",entry_point="websecure"} 0',
    ])
  })

  test('a Traefik that cannot be read has no upstreams', async () => {
    let rows: readonly UpstreamUse[] | null = ROWS
    const { lines } = metricsWith({ upstreams: () => rows })
    expect(await lines('fairlead_upstreams')).toHaveLength(2)
    rows = null
    expect(await lines('fairlead_upstreams')).toEqual([])
    expect(await lines('fairlead_upstreams_down')).toEqual([])
  })
})

describe('open connections', () => {
  test('only entry points of ours are told', async () => {
    const { lines } = metricsWith({
      openConnections: async () =>
        new Map([
          ['tcp-10001', 7],
          ['traefik', 2],
        ]),
    })
    expect(await lines('fairlead_open_connections')).toEqual([
      'fairlead_open_connections{protocol="tcp",entry_point="tcp-10001"} 7',
    ])
  })

  test('two scrapes in a row ask Traefik once', async () => {
    let asked = 0
    const { registry } = metricsWith({
      openConnections: async () => {
        asked += 1
        return new Map([['tcp-10001', asked]])
      },
    })
    const [first, second] = [await registry.metrics(), await registry.metrics()]
    for (const text of [first, second])
      expect(text).toContain('fairlead_open_connections{protocol="tcp",entry_point="tcp-10001"} 1\n')
    expect(asked).toBe(1)
  })

  test.each<[name: string, ask: TrafficView['openConnections']]>([
    ['Traefik without metrics', async () => null],
    ['a Traefik that does not answer', async () => Promise.reject(new Error('aborted'))],
  ])('%s has none, and no fault', async (_name, openConnections) => {
    const { lines } = metricsWith({ openConnections })
    expect(await lines('fairlead_open_connections')).toEqual([])
    expect(await faults(lines)).toEqual(['fairlead_metrics_faults_total 0'])
  })

  test('a fault in here is counted, not thrown', async () => {
    const { lines } = metricsWith({
      openConnections: async () => new Map([['tcp-10001', 1]]),
      ours: () => {
        throw new Error('fault')
      },
    })
    expect(await lines('fairlead_open_connections')).toEqual([])
    expect(await faults(lines)).toEqual(['fairlead_metrics_faults_total 1'])
  })

  test('without a Traefik to ask there are no samples', async () => {
    const registry = new Registry()
    createMetrics(registry, { processMetrics: false })
    expect(await registry.getSingleMetricAsString('fairlead_open_connections')).not.toMatch(/^fairlead_/m)
  })
})
