import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('a list of services with nothing in it', () => {
  test('says how to begin', async () => {
    const rig = await openConsole()
    const page = await rig.open('/services')
    await page.getByRole('heading', { name: 'Nothing is exposed yet' }).waitFor()
    await page.getByText('fairlead expose 10.200.1.5:5432 --wait').waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
  })
})

describe.skipIf(!part('chromium'))('the list of services', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
    for (const node of ['srv_1', 'srv_2']) await rig.fleet.node(node)
    for (const [n, name] of ['orders-db', 'orders-replica', 'mqtt'].entries())
      await rig.fleet.route(`prt_${name}`, { externalPort: 10_001 + n })
    await rig.fleet.route('prt_dns', { externalPort: 11_001, protocol: 'udp' })
    await rig.fleet.route('prt_shop', { protocol: 'http', domain: 'shop.example.com' })
    const all = ['prt_orders-db', 'prt_orders-replica', 'prt_mqtt'].map(id => told(id))
    const others = [told('prt_dns', 'LIVE', { protocol: 'udp' }), told('prt_shop', 'LIVE', { protocol: 'http' })]
    await rig.fleet.report('srv_1', { verdicts: [...all, ...others] })
    await rig.fleet.report('srv_2', { verdicts: [told('prt_mqtt', 'ENTRY_POINT_MISSING'), ...others] })
    await rig.fleet.report('srv_2', { verdicts: all.slice(0, 2) })
  })

  const names = (page: Awaited<ReturnType<ConsoleRig['open']>>): Promise<readonly string[]> =>
    page.locator('[data-row-link] .name').allInnerTexts()

  test('has a row for each, with address, a shape for each node, and the worst verdict', async () => {
    const page = await rig.open('/services?sort=name')
    await page.getByRole('table', { name: 'Services' }).waitFor()
    expect(await names(page)).toEqual(['dns', 'mqtt', 'orders-db', 'orders-replica', 'shop'])
    expect(await page.getByRole('table').getAttribute('aria-rowcount')).toBe('6')
    const row = page.getByRole('row', { name: /mqtt/ })
    expect(await row.getAttribute('aria-rowindex')).toBe('3')
    await row.getByRole('img', { name: 'proxy-1: live' }).waitFor()
    await row.getByRole('img', { name: 'proxy-2: waiting' }).waitFor()
    await row.getByText('on proxy-2').waitFor()
    await page.getByText('5 services, 5 routes. 1 is not live everywhere.').waitFor()
  })

  test('is filtered as one types, and the address keeps it', async () => {
    const page = await rig.open('/services?sort=name')
    await page.getByRole('table').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('orders')
    await page.waitForURL(url => url.searchParams.get('q') === 'orders')
    expect(await names(page)).toEqual(['orders-db', 'orders-replica'])
    await page.locator('[data-region="count"]').getByText('2 services').waitFor({ state: 'attached' })
    await page.reload()
    await page.getByRole('table').waitFor()
    expect(await names(page)).toEqual(['orders-db', 'orders-replica'])
    await page.keyboard.press('/')
    await page.keyboard.press('Escape')
    await page.getByRole('row', { name: /shop/ }).waitFor()
  })

  test('is filtered by protocol and by verdict', async () => {
    const page = await rig.open('/services?sort=name')
    await page.getByRole('radio', { name: /^UDP/ }).click()
    await page.getByRole('row', { name: /mqtt/ }).waitFor({ state: 'detached' })
    expect(await names(page)).toEqual(['dns'])
    await page.getByRole('radio', { name: /^All/ }).click()
    await page.getByRole('search').getByRole('button', { name: 'Verdict' }).click()
    await page.getByRole('menuitemcheckbox', { name: 'waiting' }).click()
    await page.waitForURL(url => url.searchParams.get('verdict') === 'waiting')
    expect(await names(page)).toEqual(['mqtt'])
    expect(await rig.faultsOf(page)).toEqual([])
  })

  test('says what is nearest when nothing is found', async () => {
    const page = await rig.open('/services?q=orderz&protocol=tcp')
    await page.getByRole('heading', { name: 'No service matches “orderz”' }).waitFor()
    await page.getByRole('link', { name: 'orders-db' }).waitFor()
    await page.getByText('Only TCP is asked for.').waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByRole('row', { name: /shop/ }).waitFor()
  })

  test('is gone through with J and K, and opened with Enter', async () => {
    const page = await rig.open('/services?sort=name')
    await page.getByRole('table').waitFor()
    const focused = () => page.evaluate(() => document.activeElement?.querySelector('.name')?.textContent ?? null)
    await page.keyboard.press('j')
    await expect.poll(focused).toBe('dns')
    await page.keyboard.press('j')
    await expect.poll(focused).toBe('mqtt')
    await page.keyboard.press('k')
    await expect.poll(focused).toBe('dns')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/services\/svc_dns$/)
    await page.goBack()
    await page.getByRole('table').waitFor()
  })

  test('copies the address of the row that has the focus', async () => {
    const page = await rig.open('/services?sort=name')
    await page.getByRole('table').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.querySelector('.name')?.textContent ?? null))
      .toBe('mqtt')
    await page.keyboard.press('y')
    await page.locator('[data-region="status"]').getByText('address copied').waitFor({ state: 'attached' })
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/:10003$/)
  })

  test('stays as it is under the drawer that exposes a port', async () => {
    const page = await rig.open('/services?sort=name')
    const table = page.getByRole('table', { name: 'Services' })
    await table.waitFor()
    await table.evaluate(element => Reflect.set(element, 'isTheSame', true))
    await page.keyboard.press('c')
    await page.getByRole('dialog', { name: 'Expose a port' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/services/new')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await table.evaluate(element => Reflect.get(element, 'isTheSame'))).toBe(true)
  })

  test('keeps its place while somebody points at it', async () => {
    const page = await rig.open('/services?sort=verdict')
    const first = page.locator('[data-row-link] .name').first()
    await first.getByText('mqtt').waitFor()
    await page.getByRole('row', { name: /orders-db/ }).hover()
    await rig.fleet.report('srv_2', { verdicts: [told('prt_orders-db', 'TRAEFIK_DISABLED')] })
    await page
      .getByRole('row', { name: /orders-db/ })
      .getByText('refused', { exact: true })
      .waitFor()
    expect(await first.textContent()).toBe('mqtt')
    await page.getByRole('button', { name: /rows moved: refresh order/ }).click()
    await first.getByText('orders-db').waitFor()
    await rig.fleet.report('srv_2', { verdicts: [told('prt_orders-db')] })
    await page
      .getByRole('row', { name: /orders-db/ })
      .getByText('live', { exact: true })
      .waitFor()
  })
})

describe.skipIf(!part('chromium'))('a list of thousands of services', () => {
  const MANY = 5_000

  test('has only those in sight in the page, and finds any at once', async () => {
    const rig = await openConsole()
    await rig.fleet.route('prt_first', { externalPort: 10_001 })
    await rig.control.database.transaction(tx =>
      tx.execute(sql`
        insert into services (id, project_id, name)
        select 'svc_' || n, 'prj_1', 'service-' || n from generate_series(1, ${MANY}::int) n`),
    )
    const page = await rig.open('/services?sort=name')
    await page.getByRole('table').waitFor()
    expect(await page.getByRole('table').getAttribute('aria-rowcount')).toBe(String(MANY + 2))
    expect(await page.locator('[data-row-link]').count()).toBeLessThan(80)
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
    await page.getByText('service-999', { exact: true }).waitFor()
    expect(await page.locator('[data-row-link]').count()).toBeLessThan(80)
    await page
      .getByRole('row', { name: /service-999/ })
      .getByRole('link')
      .click()
    await page.waitForURL(/\/services\/svc_999$/)
    // Whoever comes back finds the list where they left it.
    await page.goBack()
    await page.getByText('service-999', { exact: true }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('service-1234')
    await expect.poll(() => page.locator('[data-row-link] .name').allTextContents()).toEqual(['service-1234'])
  })
})
