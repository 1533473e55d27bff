/** What the documents say of the code is what the code says of itself. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { AGENT_SETTINGS } from '../src/agent/config.ts'
import { signRequest } from '../src/agent/identity.ts'
import { PROBLEM_CODES } from '../src/api/problem-codes.ts'
import { CONTROL_SETTINGS, parseControlConfig } from '../src/control/config.ts'
import { createControlMetrics } from '../src/control/metrics.ts'
import { parseRoutesFile } from '../src/core/expected-state.ts'
import { httpWire, tcpWire, udpWire } from '../src/core/route-wire.ts'
import { REASONS } from '../src/core/verdict.ts'
import { parseDocumentText } from '../src/core/yaml-document.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** Cells of the table whose head begins with this cell. */
function tableOf(text: string, head: string): string[][] {
  const lines = text.split('\n')
  const from = lines.findIndex(line => line.startsWith(`| ${head} |`))
  if (from < 0) throw new Error(`no table ${head}`)
  const rows: string[][] = []
  for (const line of lines.slice(from + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .slice(1, -1)
        .split(' | ')
        .map(cell => cell.trim()),
    )
  }
  return rows
}

const code = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '')

describe('README', () => {
  test('its settings are those of the agent', () => {
    const rows = tableOf(read('README.md'), 'key')
    expect(rows.map(([key, env]) => ({ key: code(key), env: code(env) }))).toEqual(AGENT_SETTINGS)
  })

  test('its reason codes are those of the table', () => {
    const rows = tableOf(read('README.md'), 'code')
    expect(rows.map(([name, verdict, meaning, remedy]) => [code(name), { verdict, meaning, remedy }])).toEqual(
      Object.entries(REASONS),
    )
  })

  test('its example of routes is accepted', () => {
    const example = /```yaml\n# routes\.d\/databases\.yaml\n([\s\S]*?)```/.exec(read('README.md'))?.[1]
    const text = parseDocumentText(example ?? '', { fileName: 'databases.yaml' })
    if (!text.ok) throw new Error(text.problem.message)
    const parsed = parseRoutesFile(text.value, { origin: 'databases.yaml', maxRoutes: 100 })
    expect(parsed).toMatchObject({ ok: true, state: { problems: [], unknownFields: [] } })
    expect(parsed.ok && parsed.state.routes.length).toBe(5)
  })
})

describe('docs/control-plane.md', () => {
  const text = read('docs/control-plane.md')

  test('its settings are those of the control plane', () => {
    const rows = tableOf(text, 'key')
    expect(rows.map(([key, env]) => ({ key: code(key), env: code(env) }))).toEqual(CONTROL_SETTINGS)
  })

  test('its metrics are those of the control plane', () => {
    const registry = new Registry()
    createControlMetrics({ registry, version: 'x', processMetrics: false })
    const labelsOf = (metric: object): string => {
      const names = 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : []
      return names.map(name => `\`${name}\``).join(', ') || '-'
    }
    const expected = registry
      .getMetricsAsArray()
      .map(metric => `| \`${metric.name}\` | ${metric.type} | ${labelsOf(metric)} | ${metric.help} |`)
    expect(text.split('\n').filter(line => line.startsWith('| `fairlead_control_'))).toEqual(expected.sort())
  })

  test('its example of settings is accepted', () => {
    const example = /```yaml\n(listen:[\s\S]*?)```/.exec(text)?.[1] ?? ''
    expect(parseControlConfig({ text: example, fileName: 'control.yaml', env: {} })).toMatchObject({
      ok: true,
      notes: [],
    })
  })
})

describe('docs', () => {
  test('every field of a route is explained', () => {
    const text = read('docs/routes.md')
    for (const wire of [httpWire, tcpWire, udpWire]) {
      for (const field of Object.keys(wire.shape)) expect(text).toContain(`\`${field}\``)
    }
  })

  test('the signature vectors of the contract are ours', () => {
    const text = read('docs/contract.md')
    const pem = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----/.exec(text)?.[0] ?? ''
    const rows = new Map(tableOf(text, 'vector').map(([name, ...cells]) => [code(name), cells.map(code)]))
    const cell = (name: string, column: number): string => rows.get(name)?.[column] ?? ''
    for (const [column, method] of (['GET', 'POST'] as const).entries()) {
      const body = cell('body', column)
      const signed = signRequest({
        privateKey: createPrivateKey(pem),
        serverId: 'srv_1',
        timestampMs: Number(cell('x-timestamp', column)),
        method,
        pathAndQuery: cell('path and query', column),
        body: Buffer.from(body === 'empty' ? '' : body),
      })
      expect(signed['x-signature']).toBe(cell('x-signature', column))
    }
  })

  test('the problem codes of the API are those of the table', () => {
    const rows = tableOf(read('docs/api.md'), 'problem code')
    expect(
      rows.map(([name, status, title, remedy]) => [code(name), { status: Number(status), title, remedy }]),
    ).toEqual(Object.entries(PROBLEM_CODES))
  })

  test('links between the documents lead somewhere', () => {
    for (const file of ['README.md', 'docs/routes.md', 'docs/contract.md', 'docs/api.md']) {
      const folder = file.includes('/') ? 'docs/' : ''
      for (const [, target = ''] of read(file).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
        expect(() => readFileSync(new URL(`../${folder}${target}`, import.meta.url))).not.toThrow(/ENOENT/)
      }
    }
  })
})
