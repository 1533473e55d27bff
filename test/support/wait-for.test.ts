import { expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'

test('waitFor returns the first truthy value', async () => {
  let asked = 0
  const value = await waitFor(() => {
    asked += 1
    return asked === 3 ? 'third' : null
  })
  expect(value).toBe('third')
})

test('a condition that throws is asked again', async () => {
  let asked = 0
  const value = await waitFor(async () => {
    asked += 1
    if (asked < 3) throw new Error('refused')
    return asked
  })
  expect(value).toBe(3)
})

test('the deadline names what was waited for', async () => {
  const failure = new Error('refused')
  const waiting = waitFor(
    () => {
      throw failure
    },
    { timeoutMs: 30, what: 'the endpoint to listen' },
  )
  await expect(waiting).rejects.toThrow('waited 30 ms for the endpoint to listen')
  await expect(waiting).rejects.toMatchObject({ cause: failure })
})
