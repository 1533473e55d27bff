import { expect, test } from 'vitest'
import { beginChange, isBefore, noteFetch, raiseEpoch, readPosition } from '../../../src/control/db/revision.ts'
import { onEachDatabase } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

test.each([
  [1, 5, 1, 5, false],
  [1, 4, 1, 5, true],
  [1, 6, 1, 5, false],
  [1, 9, 2, 1, true],
  [2, 1, 1, 9, false],
])('(%i, %i) is before (%i, %i): %s', (epoch, revision, otherEpoch, otherRevision, before) => {
  expect(isBefore({ epoch, revision }, { epoch: otherEpoch, revision: otherRevision })).toBe(before)
})

onEachDatabase('the order of changes', use => {
  const position = () => use().transaction(tx => readPosition(tx), { readOnly: true })
  const change = () => use().transaction(async tx => (await beginChange(tx)).revision)
  const note = (epoch: number, revision: number) => use().transaction(tx => noteFetch(tx, { epoch, revision }))

  test('begins with revision 0 of epoch 1', async () => {
    expect(await position()).toEqual({ epoch: 1, revision: 0, fetchedRevision: 0 })
  })

  test('goes up by one with each change', async () => {
    expect([await change(), await change(), await change()]).toEqual([1, 2, 3])
    expect(await position()).toEqual({ epoch: 1, revision: 3, fetchedRevision: 0 })
  })

  test('does not know of a change that was not made', async () => {
    const outcome = use().transaction(async tx => {
      await beginChange(tx)
      throw new Error('no')
    })
    await expect(outcome).rejects.toThrow('no')
    expect((await position()).revision).toBe(0)
    expect(await change()).toBe(1)
  })

  test('has no gap and no repetition when many change at once', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, change))
    expect(made.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('is told to listeners when it is made', async () => {
    const heard: unknown[] = []
    let ready = false
    const listening = use().listen({
      onMessage: payload => heard.push(JSON.parse(payload)),
      onGap: () => {
        ready = true
      },
    })
    await waitFor(() => ready, { what: 'listening to begin' })
    await change()
    await waitFor(() => heard.length > 0, { what: 'the revision' })
    expect(heard).toEqual([{ kind: 'revision', epoch: 1, revision: 1 }])
    await listening.stop()
  })

  test('notes what nodes are sent, while it is the newest', async () => {
    await change()
    expect(await note(1, 1)).toBe(true)
    expect(await position()).toEqual({ epoch: 1, revision: 1, fetchedRevision: 1 })
    await change()
    expect(await note(1, 1)).toBe(false)
    expect(await position()).toEqual({ epoch: 1, revision: 2, fetchedRevision: 1 })
  })

  test('takes no note of a revision of another epoch', async () => {
    expect(await note(2, 0)).toBe(false)
  })

  test('lets a change know what nodes were sent before it', async () => {
    await change()
    await note(1, 1)
    expect(await use().transaction(async tx => (await beginChange(tx)).fetchedRevision)).toBe(1)
  })

  test('begins anew with an epoch, in which all before it counts as sent', async () => {
    await change()
    await change()
    const { epoch, revision, fetchedRevision } = await use().transaction(raiseEpoch)
    expect({ epoch, revision, fetchedRevision }).toEqual({ epoch: 2, revision: 3, fetchedRevision: 2 })
    expect(await position()).toEqual({ epoch: 2, revision: 3, fetchedRevision: 2 })
  })

  test('lets nobody note a fetch in the middle of a change', async () => {
    await change()
    let release = (): void => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    let begun = false
    const running = use().transaction(async tx => {
      await beginChange(tx)
      begun = true
      await held
    })
    await waitFor(() => begun, { what: 'the change to begin' })
    const noting = note(1, 1)
    release()
    await running
    expect(await noting).toBe(false)
    expect((await position()).fetchedRevision).toBe(0)
  })
})
