/** Reads PromQL just far enough to know which metrics an expression names, and asks promtool for the rest. */
import { spawnSync } from 'node:child_process'
import { Registry } from 'prom-client'
import { createMetrics } from '../../src/agent/metrics/metrics.ts'

const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan', 'atan2', 'start', 'end'])

/** Names of metrics, sorted, each once. */
export function metricNamesIn(expr: string): string[] {
  const bare = expr
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""')
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\b(?:group_left|group_right)\b/g, ' ')
  const names = [...bare.matchAll(/[A-Za-z_:][\w:]*(?!\s*\(|[\w:])/g)]
    .filter(({ index }) => !/[\d.]/.test(bare[index - 1] ?? ''))
    .map(([name]) => name)
  return [...new Set(names.filter(name => !KEYWORDS.has(name.toLowerCase())))].sort()
}

/** Names of all series that an agent can have: of a histogram also its buckets, sum and count; `up` is made by the scrape. */
export function seriesNames(): ReadonlySet<string> {
  const registry = new Registry()
  createMetrics(registry)
  return new Set([
    'up',
    ...registry.getMetricsAsArray().flatMap(({ name, type }) =>
      // The types of prom-client name an enum that the program does not have.
      String(type) === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  ])
}

/** Runs promtool; what it says on both channels, and its exit code. */
export function promtool(
  args: readonly string[],
  input?: string,
): { readonly code: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  })
  return { code: status, said: stdout + stderr }
}
