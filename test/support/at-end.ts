/**
 * Closing what a test opened, also when the test fails.
 *
 * Inside a test it is closed when that test ends, otherwise (`beforeAll`, top level) when the file ends. Outside vitest (a benchmark,
 * a measurement) the caller closes by itself; what it forgot goes when the process exits.
 */
type Close = () => unknown

const vitest = process.env.VITEST === undefined ? null : await import('vitest')

const atFileEnd: Close[] = []

// Registered while the test file is collected: a module is loaded anew for each file, so the hook belongs to that file.
vitest?.afterAll(async () => {
  for (const close of atFileEnd.splice(0).reverse()) await close()
})

/** Calls `close` at the end of the running test, or of the file. It must bear being called after the caller has closed by itself. */
export function atEnd(close: Close): void {
  if (vitest === null) return
  try {
    vitest.onTestFinished(async () => {
      await close()
    })
  } catch {
    // Not inside a test.
    atFileEnd.push(close)
  }
}
