import { describe, expect, test } from 'vitest'
import { closingLine, vitestTotals } from '../../scripts/test-totals.ts'

type File = { status: string; assertionResults: { status: string }[] }

const file = (status: string, ...tests: string[]): File => ({
  status,
  assertionResults: tests.map(result => ({ status: result })),
})
const report = (...files: File[]): string => JSON.stringify({ testResults: files })

describe('vitestTotals', () => {
  test.each([
    ['all passed', report(file('passed', 'passed', 'passed'), file('passed', 'passed')), 0, [3, 0, 0]],
    ['one failed', report(file('failed', 'passed', 'failed')), 1, [1, 1, 0]],
    ['skipped and to do', report(file('passed', 'passed', 'skipped', 'pending', 'todo')), 0, [1, 0, 3]],
    ['a file that cannot be loaded', report(file('passed', 'passed'), file('failed')), 1, [1, 1, 0]],
    ['a hook that failed after its tests', report(file('failed', 'passed', 'skipped')), 1, [1, 1, 1]],
    ['an error outside of any test', report(file('passed', 'passed')), 1, [1, 1, 0]],
    ['killed after the report', report(file('passed', 'passed')), null, [1, 1, 0]],
    ['no report', null, 0, [0, 1, 0]],
    ['half a report', '{"testResults": [', 1, [0, 1, 0]],
    ['a report of another form', '{"tests": []}', 0, [0, 1, 0]],
  ] as const)('%s', (_name, text, exitCode, [passed, failed, skipped]) => {
    expect(vitestTotals(text, exitCode)).toEqual({ passed, failed, skipped })
  })
})

describe('closingLine', () => {
  test.each([
    [{ passed: 12, failed: 0, skipped: 0 }, '12 passed, 0 failed'],
    [{ passed: 12, failed: 1, skipped: 3 }, '12 passed, 1 failed, 3 skipped'],
  ])('%j', (totals, expected) => {
    expect(closingLine(totals)).toBe(expected)
  })
})
