import { expect, test } from 'vitest'
import { notify } from '../../../src/control/db/listen.ts'
import { checkVersion } from '../../../src/control/db/server.ts'
import { onEachDatabase } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

onEachDatabase('the database', use => {
  function listen() {
    const heard: string[] = []
    let gaps = 0
    const listening = use().listen({
      onMessage: payload => heard.push(payload),
      onGap: () => {
        gaps++
      },
    })
    return { heard, gaps: () => gaps, listening }
  }
  const say = (kind: string) => use().transaction(tx => notify(tx, { kind }))

  test('has an id that begins with cp', () => {
    expect(use().controlPlaneId).toMatch(/^cp_[0-9a-f]{32}$/)
  })

  test('answers when asked whether it does', async () => {
    expect(await use().check()).toBeUndefined()
  })

  test('a listener hears what was committed, and nothing else', async () => {
    const { heard, gaps, listening } = listen()
    await waitFor(() => gaps() === 1, { what: 'listening to begin' })
    expect(listening.isConnected()).toBe(true)
    await say('one')
    await use()
      .transaction(async tx => {
        await notify(tx, { kind: 'never' })
        throw new Error('no')
      })
      .catch(() => {})
    await say('two')
    await waitFor(() => heard.length >= 2, { what: 'two notifications' })
    expect(heard).toEqual(['{"kind":"one"}', '{"kind":"two"}'])
    await listening.stop()
  })

  test('a listener that has stopped hears nothing', async () => {
    const [early, late] = [listen(), listen()]
    await waitFor(() => early.gaps() === 1 && late.gaps() === 1, { what: 'listening to begin' })
    await early.listening.stop()
    await say('after')
    await waitFor(() => late.heard.length === 1, { what: 'the notification' })
    expect(early.heard).toEqual([])
    await late.listening.stop()
  })
})

test.each([
  [150_000, null],
  [180_006, null],
  [149_999, 'the server is PostgreSQL 14'],
  [90_624, 'the server is PostgreSQL 9'],
])('version %i of the server is refused with %j', (version, message) => {
  const check = () => checkVersion(version)
  if (message === null) expect(check).not.toThrow()
  else expect(check).toThrow(expect.objectContaining({ code: 'DATABASE_TOO_OLD', message }))
})
