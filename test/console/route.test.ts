import { beforeAll, describe, expect, test } from 'vitest'
import { HOSTILE_SHOWN, openPlatform, type Platform } from '../support/console-platform.ts'
import { told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'

/** As a row has room for it: what is left out is in the middle. */
const CUT = '<img src=x onerror…ert(1)>␣evil␣name'

describe.skipIf(!part('chromium'))('routes', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await openPlatform()
  })

  test('stand in a list, what is not live first, and the filters in the address', async () => {
    const { rig } = platform
    const page = await rig.open('/routes')
    await page.getByRole('table', { name: 'Routes' }).waitFor()
    const names = () => page.locator('[data-row-link] .name').allTextContents()
    expect((await names()).slice(0, 3)).toEqual([CUT, 'mqtt-ingest', 'smtp-relay'])
    await page.keyboard.press('/')
    await page.keyboard.type('proxy-2')
    await page.waitForURL(url => url.searchParams.get('q') === 'proxy-2')
    await expect.poll(names).toEqual([CUT, 'mqtt-ingest', 'smtp-relay'])
    await page.goto(`${rig.origin}/routes?node=srv_2&verdict=degraded`)
    await expect.poll(names, { timeout: 10_000 }).toEqual(['smtp-relay'])
    await page.getByRole('button', { name: 'Clear', exact: true }).click()
    await page.waitForURL(url => url.search === '')
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.querySelector('.name')?.textContent))
      .toBe('mqtt-ingest')
    await page.keyboard.press('Enter')
    await page.waitForURL(url => url.pathname.startsWith('/routes/prt_') && url.searchParams.get('node') === 'srv_2')
  })

  test('have a line that breaks where the route does, with reason and remedy', async () => {
    const { rig, smtp } = platform
    const page = await rig.open(`/routes/${smtp.routeId}?node=srv_2`)
    const chain = page.getByRole('region', { name: 'The chain on proxy-2' })
    await chain.getByText('connection refused').waitFor()
    expect(await chain.locator('.v.pill').textContent()).toBe('degraded')
    await chain.getByRole('heading', { name: 'Why' }).waitFor()
    await chain.getByRole('heading', { name: 'What to do' }).waitFor()
    await chain.getByText('BACKEND_DOWN').waitFor()
    await chain.getByText('live on proxy-1 and proxy-3; was live on proxy-4').waitFor()
    await page.keyboard.press(']')
    await page.waitForURL(url => url.searchParams.get('node') === 'srv_3')
    await page.keyboard.press('[')
    await page.keyboard.press('[')
    await page.waitForURL(url => url.searchParams.get('node') === 'srv_1')
    await page.getByRole('region', { name: 'The chain on proxy-1' }).waitFor()
  })

  test('prove nothing on a node that is silent', async () => {
    const { rig, orders } = platform
    const page = await rig.open(`/routes/${orders.routeId}?node=srv_4`)
    const chain = page.getByRole('region', { name: 'The chain on proxy-4' })
    await chain.getByText('was live').waitFor()
    expect(await chain.getByText('not known', { exact: true }).count()).toBeGreaterThanOrEqual(5)
    expect(await chain.locator('.live').count()).toBe(0)
  })

  test('change under the eyes', async () => {
    const { rig, dns } = platform
    const page = await rig.open(`/routes/${dns.routeId}?node=srv_1`)
    const mark = page.getByRole('region', { name: 'The chain on proxy-1' }).locator('.v.pill')
    await mark.getByText('live').waitFor()
    await rig.fleet.report('srv_1', { verdicts: [told(dns.routeId, 'BACKEND_DOWN', { protocol: 'udp' })] })
    await mark.getByText('degraded').waitFor()
    await rig.fleet.report('srv_1', { verdicts: [told(dns.routeId, 'LIVE', { protocol: 'udp' })] })
    await mark.getByText('live').waitFor()
  })

  test('show what Traefik says as text', async () => {
    const { rig, hostile } = platform
    const page = await rig.open(`/routes/${hostile.routeId}?node=srv_2`)
    await page.getByText(`Traefik says ${HOSTILE_SHOWN}`).first().waitFor()
    expect(await page.locator('img').count()).toBe(0)
    expect(await rig.faultsOf(page)).toEqual([])
  })
})
