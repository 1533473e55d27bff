/** What the runs came to, in numbers: pure, so that a crash of the machinery can be tried. */

export type Totals = { readonly passed: number; readonly failed: number; readonly skipped: number }

export const NOTHING: Totals = { passed: 0, failed: 0, skipped: 0 }

export const add = (a: Totals, b: Totals): Totals => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
})

/** A check that is one thing: types, lint. */
export const single = (ok: boolean): Totals => (ok ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: 1 })

/** `12 passed, 0 failed`, with `, 3 skipped` when there are some. */
export function closingLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/**
 * Counts the tests in the text that vitest's JSON reporter wrote (null: it wrote none). A test file that could not be loaded counts as one
 * failure; so does a run that failed although no test did: a crash, an error outside of any test, a report that cannot be read.
 */
export function vitestTotals(report: string | null, exitCode: number | null): Totals {
  const counted = count(report)
  if (counted === null) return { ...NOTHING, failed: 1 }
  return exitCode !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted
}

function count(report: string | null): Totals | null {
  const files = field(parse(report), 'testResults')
  if (!Array.isArray(files)) return null
  let totals = NOTHING
  for (const file of files) {
    const tests = field(file, 'assertionResults')
    if (!Array.isArray(tests)) return null
    for (const test of tests) totals = add(totals, one(field(test, 'status')))
    const failedTests = tests.some(test => field(test, 'status') === 'failed')
    if (field(file, 'status') === 'failed' && !failedTests) totals = add(totals, single(false))
  }
  return totals
}

function one(status: unknown): Totals {
  if (status === 'passed') return single(true)
  if (status === 'failed') return single(false)
  return { ...NOTHING, skipped: 1 }
}

function parse(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text)
  } catch {
    return null
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined
}
