import { beforeAll, describe, expect, test } from 'vitest'
import { HOSTILE_SHOWN, openPlatform, type Platform } from '../support/console-platform.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('the ports', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await openPlatform()
  })

  test('tell their state by name, and open by the number in the address', async () => {
    const { rig, hostile } = platform
    const page = await rig.open('/ports?port=10033')
    const peek = page.getByRole('group', { name: 'Port 10033' })
    await peek.getByText(HOSTILE_SHOWN).waitFor()
    await peek.getByText('refused').waitFor()
    expect(await page.locator('img').count()).toBe(0)
    await page.getByRole('button', { name: '10000, shared, 1 host name' }).waitFor()
    await page.getByRole('button', { name: '10001, used by smtp-relay, degraded' }).waitFor()
    await page.getByRole('button', { name: '11000, used by resolver, live' }).waitFor()
    await page.getByRole('button', { name: '10040, free' }).waitFor()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Open service')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-port'))).toBe('10033')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Open service')
    await page.keyboard.press('Enter')
    await page.waitForURL(url => url.pathname === `/services/${hostile.id}`)
  })

  test('are gone through with arrows, and are one stop of the Tab key', async () => {
    const { rig } = platform
    const page = await rig.open('/ports?port=10033')
    const at = () => page.evaluate(() => document.activeElement?.getAttribute('data-port'))
    await page.getByRole('group', { name: 'Port 10033' }).waitFor()
    await expect.poll(at).toBe('10033')
    for (const [key, port] of [
      ['ArrowRight', '10034'],
      ['ArrowDown', '10044'],
      ['ArrowLeft', '10043'],
      ['ArrowUp', '10033'],
      ['Home', '10030'],
      ['End', '10039'],
    ] as const) {
      await page.keyboard.press(key)
      await expect.poll(at).toBe(port)
    }
    expect(await page.locator('[data-pool="tcp"] [data-port][tabindex="0"]').count()).toBe(1)
    await page.keyboard.press('Tab')
    expect(await at()).toMatch(/^11\d\d\d$/)
  })

  test('are exposed, reserved and given back from their cell', async () => {
    const { rig } = platform
    const page = await rig.open('/ports?port=10020')
    await page.getByRole('group', { name: 'Port 10020' }).waitFor()
    await page.keyboard.press('Enter')
    const peek = page.getByRole('group', { name: 'Port 10020' })
    await peek.getByRole('button', { name: 'Reserve' }).click()
    const dialog = page.getByRole('dialog', { name: 'Reserve 10020' })
    await dialog.waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Reserve' }).click()
    await page.getByRole('button', { name: '10020, reserved' }).waitFor()
    await page.goto(`${rig.origin}/ports?port=10021`)
    await page.getByRole('group', { name: 'Port 10021' }).getByRole('link', { name: 'Expose here' }).click()
    const drawer = page.getByRole('dialog', { name: 'Expose a port' })
    await drawer.getByLabel('Wanted port').waitFor()
    expect(await drawer.getByLabel('Wanted port').inputValue()).toBe('10021')
  })
})
