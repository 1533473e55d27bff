import { describe, expect, test } from 'vitest'
import { createGate } from '../../../src/control/db/gate.ts'
import { waitFor } from '../../support/wait-for.ts'

const gateOf = (limit: number, { maxWaiting = 10, waitMs = 10_000 } = {}) => createGate({ limit, maxWaiting, waitMs })

describe('a gate', () => {
  test('lets in as many as its limit', async () => {
    const gate = gateOf(2)
    await gate.enter()
    await gate.enter()
    void gate.enter()
    expect(gate.stats()).toEqual({ inside: 2, waiting: 1 })
  })

  test('lets those who wait in by their coming', async () => {
    const gate = gateOf(1)
    const order: string[] = []
    const visit = async (name: string): Promise<void> => {
      const leave = await gate.enter()
      order.push(name)
      leave()
    }
    const leave = await gate.enter()
    const visits = ['a', 'b', 'c'].map(visit)
    leave()
    await Promise.all(visits)
    expect(order).toEqual(['a', 'b', 'c'])
    expect(gate.stats()).toEqual({ inside: 0, waiting: 0 })
  })

  test('counts leaving twice as once', async () => {
    const gate = gateOf(1)
    const leave = await gate.enter()
    leave()
    leave()
    await gate.enter()
    void gate.enter()
    expect(gate.stats()).toEqual({ inside: 1, waiting: 1 })
  })

  test('refuses at once when too many wait', async () => {
    const gate = gateOf(1, { maxWaiting: 1 })
    await gate.enter()
    void gate.enter()
    await expect(gate.enter()).rejects.toMatchObject({
      code: 'DATABASE_BUSY',
      retryable: true,
      message: '1 others wait for the database already',
    })
  })

  test('refuses who has waited too long, and forgets them', async () => {
    const gate = gateOf(1, { waitMs: 20 })
    const leave = await gate.enter()
    await expect(gate.enter()).rejects.toMatchObject({ code: 'DATABASE_BUSY' })
    leave()
    expect(gate.stats()).toEqual({ inside: 0, waiting: 0 })
  })

  test('closed, it refuses all and waits for those inside', async () => {
    const gate = gateOf(1)
    const leave = await gate.enter()
    const waiting = gate.enter()
    let closed = false
    const closing = gate.close().then(() => {
      closed = true
    })
    await expect(waiting).rejects.toMatchObject({ code: 'DATABASE_CLOSED', retryable: false })
    await expect(gate.enter()).rejects.toMatchObject({ code: 'DATABASE_CLOSED' })
    expect(closed).toBe(false)
    leave()
    await waitFor(() => closed, { what: 'the gate to close' })
    await closing
  })
})
