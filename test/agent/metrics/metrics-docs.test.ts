/** docs/metrics.md has a row for each metric, as the code has it. */
import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createMetrics } from '../../../src/agent/metrics/metrics.ts'

const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')

function labelsOf(metric: object): readonly string[] {
  const names = 'labelNames' in metric ? metric.labelNames : []
  return Array.isArray(names) ? names.map(String) : []
}

test('the table is that of the code', () => {
  const registry = new Registry()
  createMetrics(registry, { processMetrics: false })
  const expected = registry.getMetricsAsArray().map(metric => {
    const labels = labelsOf(metric).map(label => `\`${label}\``)
    return `| \`${metric.name}\` | ${metric.type} | ${labels.join(', ') || '-'} | ${metric.help} |`
  })
  expect(text.split('\n').filter(line => line.startsWith('| `fairlead_'))).toEqual(expected.sort())
})

test('each label is explained or speaks for itself', () => {
  const registry = new Registry()
  createMetrics(registry, { processMetrics: false })
  const labels = new Set(registry.getMetricsAsArray().flatMap(labelsOf))
  const plain = ['code', 'phase', 'version']
  const explained = text.slice(text.indexOf('## Labels'))
  expect([...labels].filter(label => !explained.includes(`\`${label}\``)).sort()).toEqual(plain)
})
