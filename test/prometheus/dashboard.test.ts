import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { part } from '../support/parts.ts'
import { metricNamesIn, promtool, seriesNames } from '../support/promql.ts'
import { tempFolder } from '../support/temp-folder.ts'

const place = z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() })
const dashboardFile = z.object({
  uid: z.literal('fairlead'),
  templating: z.object({ list: z.array(z.object({ name: z.string(), query: z.unknown() })) }),
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string(),
      gridPos: place,
      targets: z.array(z.object({ refId: z.string(), expr: z.string() })).default([]),
    }),
  ),
})

const dashboard = dashboardFile.parse(
  JSON.parse(readFileSync(new URL('../../proxy/grafana/fairlead.json', import.meta.url), 'utf8')),
)
const exprs = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

describe('the dashboard', () => {
  test('asks for metrics that exist', () => {
    const known = seriesNames()
    expect(exprs.flatMap(metricNamesIn).filter(name => !known.has(name))).toEqual([])
    expect(exprs.filter(expr => metricNamesIn(expr).length === 0)).toEqual([])
  })

  test('has its node from a metric that exists', () => {
    const queries = dashboard.templating.list.map(({ query }) => JSON.stringify(query)).join(' ')
    expect([...queries.matchAll(/label_values\((\w+),/g)].map(([, name]) => name)).toEqual(['fairlead_build_info'])
  })

  test('shows every metric or leaves it to the alerts', () => {
    const shown = new Set(exprs.flatMap(metricNamesIn))
    const left = [...seriesNames()].filter(name => name.startsWith('fairlead_') && !shown.has(name))
    expect(left.sort()).toEqual([
      'fairlead_apply_duration_seconds_count',
      'fairlead_apply_duration_seconds_sum',
      'fairlead_compile_duration_seconds_bucket',
      'fairlead_metrics_faults_total',
      'fairlead_report_last_success_timestamp_seconds',
      'fairlead_routes_probed',
      'fairlead_snapshot_last_persist_attempt_timestamp_seconds',
      'fairlead_snapshot_last_persist_timestamp_seconds',
      'fairlead_snapshot_persist_failures_total',
      'fairlead_source_last_attempt_timestamp_seconds',
      'fairlead_source_last_success_timestamp_seconds',
      'fairlead_source_up',
      'fairlead_unknown_fields',
      'fairlead_upstreams',
    ])
  })

  test('has no two panels of one id or in one place', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const cells = dashboard.panels.flatMap(({ title, gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_, i) => ({ title, cell: `${x + (i % w)},${y + Math.floor(i / w)}` })),
    )
    expect(new Set(cells.map(({ cell }) => cell)).size).toBe(cells.length)
    expect(dashboard.panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([])
  })

  test.skipIf(!part('prometheus'))('promtool takes every query', async () => {
    const rules = exprs.map((expr, i) => ({
      record: `query_${i}`,
      // What Grafana puts in.
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
    }))
    const file = join(await tempFolder(), 'rules.json')
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { code, said } = promtool(['check', 'rules', file])
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining(`SUCCESS: ${rules.length} rules found`) })
  })
})
