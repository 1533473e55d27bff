/** What stands where there is no content: not come yet, not come, or nobody to ask. The answers are held back or changed on their way. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { part } from '../support/parts.ts'

const REFUSAL = {
  type: 'urn:fairlead:problem:DATABASE_UNAVAILABLE',
  title: 'The database cannot be used now',
  status: 503,
  code: 'DATABASE_UNAVAILABLE',
  detail: 'the database takes no connection',
  remedy: 'Send it again.',
  requestId: 'req_01946f6c8ab1',
}

describe.skipIf(!part('chromium'))('a page without its content', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
    await rig.fleet.route('prt_orders-db', { externalPort: 10_001 })
  })

  const LIST = /\/api\/v1\/services\?/

  test('shows its layout while the answer is on its way', async () => {
    const page = await rig.open('/nowhere')
    let release = (): void => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    await page.context().route(LIST, async route => {
      await held
      await route.continue()
    })
    const list = await rig.open('/services', { context: page.context() })
    await list.locator('[aria-busy="true"]').getByText('Loading services').waitFor({ state: 'attached' })
    expect(await rig.faultsOf(list)).toEqual([])
    release()
    await list.getByRole('row', { name: /orders-db/ }).waitFor()
    expect(await list.locator('[aria-busy="true"]').count()).toBe(0)
  })

  test('says which call failed, and that routes go on, and tries again', async () => {
    const first = await rig.open('/nowhere')
    let isRefused = true
    await first
      .context()
      .route(LIST, route =>
        isRefused
          ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(REFUSAL) })
          : route.continue(),
      )
    const page = await rig.open('/services', { context: first.context() })
    await page.getByRole('heading', { name: 'The list did not come' }).waitFor()
    await page.getByText('The database takes no connection. Routes go on serving; only this is missing.').waitFor()
    await page.getByText('request req_01946f6c8ab1,').waitFor()
    isRefused = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('row', { name: /orders-db/ }).waitFor()
  })

  test('says that the control plane does not answer', async () => {
    const first = await rig.open('/nowhere')
    await first.context().route(/\/api\/v1\/sessions\/current/, route => route.abort())
    const page = await rig.open('/', { context: first.context() })
    await page.getByRole('heading', { name: 'The console did not come' }).waitFor()
    await page.getByText('The control plane does not answer.').waitFor()
  })

  test('shows names of others as text, with a mark for every sign that is not seen', async () => {
    const first = await rig.open('/nowhere')
    const name = '<img src=x onerror=alert(1)>\u202egnp.exe'
    await first.context().route(LIST, async route => {
      const answer = await route.fetch()
      const body: unknown = await answer.json()
      await route.fulfill({
        response: answer,
        body: JSON.stringify(body).replaceAll('"orders-db"', JSON.stringify(name)),
      })
    })
    const page = await rig.open('/services', { context: first.context() })
    await page
      .getByTitle('<img src=x onerror=alert(1)>␣gnp.exe')
      .or(page.getByText('<img src=x onerror=alert(1)>␣gnp.exe'))
      .first()
      .waitFor()
    expect(await page.locator('main img').count()).toBe(0)
    expect(await rig.faultsOf(page)).toEqual([])
  })
})
