import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { part } from '../support/parts.ts'
import { metricNamesIn, promtool, seriesNames } from '../support/promql.ts'

const FOLDER = new URL('../../proxy/prometheus/', import.meta.url)
const RULES = new URL('fairlead.rules.yml', FOLDER)
const CASES = new URL('fairlead.rules.test.yml', FOLDER)

const rulesFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.strictObject({ summary: z.string(), description: z.string(), runbook: z.string() }),
        }),
      ),
    }),
  ),
})
const casesFile = z.object({
  tests: z.array(
    z.object({
      name: z.string(),
      promql_expr_test: z.array(z.object({ expr: z.string(), exp_samples: z.array(z.unknown()) })).default([]),
    }),
  ),
})

const rules = rulesFile.parse(parse(readFileSync(RULES, 'utf8'))).groups.flatMap(group => group.rules)
const cases = casesFile.parse(parse(readFileSync(CASES, 'utf8'))).tests
const names = rules.map(({ alert }) => alert)

describe.skipIf(!part('prometheus'))('promtool', () => {
  test('takes the rules', () => {
    const { code, said } = promtool(['check', 'rules', RULES.pathname])
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining(`SUCCESS: ${rules.length} rules found`) })
  })

  test('finds every case as it is written', () => {
    const { code, said } = promtool(['test', 'rules', CASES.pathname])
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('SUCCESS') })
  })
})

describe('each alert', () => {
  test('has a name of its own', () => {
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    expect(names.filter(name => !/^Fairlead[A-Z][A-Za-z]+$/.test(name))).toEqual([])
  })

  test('fires in one case and stays silent in another', () => {
    const kinds = cases.map(({ name, promql_expr_test }) => {
      const [, alert = '', verb = ''] = /^(\w+) (fires|stays silent) /.exec(name) ?? []
      for (const { expr, exp_samples } of promql_expr_test) {
        expect(expr).toBe(`count(ALERTS{alertname="${alert}", alertstate="firing"})`)
        expect(exp_samples.length > 0).toBe(verb === 'fires')
      }
      return `${alert} ${verb}`
    })
    expect([...new Set(kinds)].sort()).toEqual(names.flatMap(name => [`${name} fires`, `${name} stays silent`]).sort())
  })

  test('asks for metrics that exist', () => {
    const known = seriesNames()
    expect(rules.flatMap(({ expr }) => metricNamesIn(expr)).filter(name => !known.has(name))).toEqual([])
  })

  test('has a chapter in docs/alerts.md, and no chapter lacks its alert', () => {
    const text = readFileSync(new URL('../../docs/alerts.md', import.meta.url), 'utf8')
    const chapters = [...text.matchAll(/^## (\w+)\n\n(Critical|Warning)\./gm)]
    expect(chapters.map(([, name, severity]) => `${name} ${severity?.toLowerCase()}`).sort()).toEqual(
      rules.map(({ alert, labels }) => `${alert} ${labels.severity}`).sort(),
    )
    for (const { alert, annotations } of rules)
      expect(annotations.runbook).toBe(`docs/alerts.md#${alert.toLowerCase()}`)
  })
})
