/** Never says more than is known: what becomes of the page when the link to the control plane is cut, and when it is back. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('a link that is lost', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
    await rig.fleet.node('srv_1')
    await rig.fleet.route('prt_orders', { externalPort: 10_001 })
    await rig.fleet.route('prt_mqtt', { externalPort: 10_002 })
    await rig.fleet.report('srv_1', { verdicts: [told('prt_orders'), told('prt_mqtt', 'ENTRY_POINT_MISSING')] })
  })

  const LIVE = '.v.live, .dots .live, .bar .live, .legend .live, .att .waiting'

  test('makes every verdict not known, says since when, and takes it back', async () => {
    const page = await rig.open('/')
    await page.getByRole('heading', { level: 1, name: '1 live of 2, on the one node' }).waitFor()
    await page.getByText('Up to date').waitFor()
    expect(await page.locator(LIVE).count()).toBeGreaterThan(0)

    await page.context().setOffline(true)
    await page.getByRole('alert').getByText('The link to the control plane is lost.').waitFor()
    await page.getByRole('heading', { level: 1, name: /^1 was live of 2, at \d\d:\d\d:\d\d$/ }).waitFor()
    await page.getByText('was waiting').waitFor()
    expect(await page.locator(LIVE).count()).toBe(0)
    expect(await page.getByText('Link lost').count()).toBe(1)

    // What has changed meanwhile is fetched before anything is shown as known.
    await rig.fleet.report('srv_1', { verdicts: [told('prt_mqtt')] })
    await page.context().setOffline(false)
    await page.getByRole('heading', { level: 1, name: '2 live of 2, on the one node' }).waitFor()
    await page.getByText('Up to date').waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
    await rig.fleet.report('srv_1', { verdicts: [told('prt_mqtt', 'ENTRY_POINT_MISSING')] })
  })

  test('makes the list of services not known, too', async () => {
    const page = await rig.open('/services')
    await page
      .getByRole('row', { name: /orders/ })
      .getByText('live', { exact: true })
      .waitFor()
    await page.context().setOffline(true)
    await page
      .getByRole('row', { name: /orders/ })
      .getByText('was live', { exact: true })
      .waitFor()
    await page.getByRole('row', { name: /mqtt/ }).getByText('was waiting', { exact: true }).waitFor()
    expect(await page.locator(LIVE).count()).toBe(0)
  })

  test('is one stream for two tabs, and another tab goes on with it', async () => {
    const first = await rig.open('/')
    await first.getByText('Up to date').waitFor()
    const streams: string[] = []
    first.context().on('request', request => {
      if (request.url().endsWith('/api/v1/events')) streams.push(request.url())
    })
    const second = await rig.open('/services', { context: first.context() })
    await second.getByText('Up to date').waitFor()
    expect(streams.length).toBe(0)
    await first.close()
    await rig.fleet.report('srv_1', { verdicts: [told('prt_orders', 'BACKEND_DOWN')] })
    await second
      .getByRole('row', { name: /orders/ })
      .getByText('degraded', { exact: true })
      .waitFor()
    expect(streams.length).toBe(1)
    await rig.fleet.report('srv_1', { verdicts: [told('prt_orders')] })
    await second
      .getByRole('row', { name: /orders/ })
      .getByText('live', { exact: true })
      .waitFor()
  })

  test('is not lost when the control plane ends a stream, as it does every few minutes', async () => {
    const page = await rig.open('/services')
    await page.getByText('Up to date').waitFor()
    const streams: string[] = []
    page.on('request', request => {
      if (request.url().endsWith('/api/v1/events')) streams.push(request.url())
    })
    await page.evaluate(() => {
      const seen: string[] = []
      Reflect.set(window, 'seen', seen)
      new MutationObserver(() => {
        if (document.querySelector('[role="alert"]') !== null) seen.push('alert')
      }).observe(document.body, { subtree: true, childList: true })
    })
    rig.control.app.server.closeAllConnections()
    await expect.poll(() => streams.length, { timeout: 15_000 }).toBe(1)
    await rig.fleet.report('srv_1', { verdicts: [told('prt_orders', 'BACKEND_DOWN')] })
    await page
      .getByRole('row', { name: /orders/ })
      .getByText('degraded', { exact: true })
      .waitFor()
    expect(await page.evaluate(() => Reflect.get(window, 'seen'))).toEqual([])
    await rig.fleet.report('srv_1', { verdicts: [told('prt_orders')] })
  })
})
