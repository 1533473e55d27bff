/** What is around every page: places, keys, palette, theme, the sheet of small windows. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('the shell', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
    await rig.fleet.node('srv_1')
    await rig.fleet.route('prt_orders-db', { externalPort: 10_001 })
    await rig.fleet.report('srv_1', { verdicts: [told('prt_orders-db')] })
  })

  test('goes places with G, and gives the focus to the heading', async () => {
    const page = await rig.open('/')
    await page.getByRole('heading', { level: 1 }).waitFor()
    for (const [key, path, heading] of [
      ['s', '/services', 'Services'],
      ['n', '/nodes', 'Nodes'],
      ['p', '/ports', 'Ports'],
      ['a', '/audit', 'Audit'],
    ] as const) {
      await page.keyboard.press('g')
      await page.keyboard.press(key)
      await page.getByRole('heading', { level: 1, name: heading }).waitFor()
      expect(new URL(page.url()).pathname).toBe(path)
      await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
      expect(await page.title()).toBe(`${heading} · Fairlead`)
      expect(
        await page
          .getByRole('navigation', { name: 'Main' })
          .or(page.getByRole('navigation', { name: 'Administration' }))
          .locator('[aria-current="page"]')
          .count(),
      ).toBe(1)
    }
  })

  test('has a link past the side bar as its first stop', async () => {
    const page = await rig.open('/services')
    await page.getByRole('table').waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
  })

  test('finds a service in the palette, and opens it', async () => {
    const page = await rig.open('/')
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Find or do' }).waitFor()
    await page.keyboard.type('orders')
    await page.getByRole('option', { name: /^orders-db/ }).waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/services\/svc_orders-db$/)
    expect(await page.getByRole('combobox').count()).toBe(0)
  })

  test('offers to expose what the palette does not find', async () => {
    const page = await rig.open('/')
    await page.getByRole('button', { name: 'Find or do' }).first().click()
    await page.keyboard.type('billing-db')
    await page.getByRole('option', { name: /Expose “billing-db”/ }).click()
    await page.waitForURL(url => url.pathname === '/services/new' && url.searchParams.get('name') === 'billing-db')
  })

  test('shows its keys, and lets a person turn single ones off', async () => {
    const page = await rig.open('/services')
    await page.getByRole('table').waitFor()
    await page.keyboard.press('?')
    const sheet = page.getByRole('dialog', { name: 'Keys' })
    await sheet.waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
    await sheet.getByRole('switch', { name: 'Single keys' }).click()
    await page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })
    await page.keyboard.press('?')
    await page.keyboard.press('c')
    // A key with Ctrl works on: when the palette is there, what was pressed before it has been read.
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').waitFor()
    expect(new URL(page.url()).pathname).toBe('/services')
    expect(await sheet.count()).toBe(0)
    await page.reload()
    await page.getByRole('table').waitFor()
    await page.keyboard.press('?')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').waitFor()
    expect(await sheet.count()).toBe(0)
  })

  test('keeps the theme that a person chose', async () => {
    const page = await rig.open('/services', { theme: 'dark' })
    await page.getByRole('table').waitFor()
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const dark = await background()
    await page.getByRole('button', { name: /^Theme: as the system has it/ }).click()
    await page.getByRole('button', { name: /^Theme: light/ }).waitFor()
    const light = await background()
    expect(light).not.toBe(dark)
    await page.reload()
    expect(await background()).toBe(light)
    await page.getByRole('button', { name: /^Theme: light/ }).click()
    await expect.poll(background).toBe(dark)
  })

  test('has its places in a sheet when the window is small', async () => {
    const page = await rig.open('/services', { width: 390 })
    await page.getByRole('button', { name: 'Menu', exact: true }).click()
    const sheet = page.getByRole('dialog', { name: 'Menu' })
    await sheet.getByRole('link', { name: 'Overview' }).waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
    await sheet.getByRole('link', { name: 'Overview' }).click()
    await page.getByRole('heading', { level: 1, name: /live/ }).waitFor()
    await sheet.waitFor({ state: 'hidden' })
  })

  test('says when there is no such page', async () => {
    const page = await rig.open('/nowhere')
    await page.getByRole('heading', { level: 1, name: 'There is no such page' }).waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
  })

  test('moves nothing for who wants no motion', async () => {
    const page = await rig.open('/', { reducedMotion: true })
    await page.getByRole('heading', { level: 1, name: /live/ }).waitFor()
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
  })

  test('shows edges and states in forced colours, which know no background of ours', async () => {
    const page = await rig.open('/', { forcedColors: true })
    await page.getByRole('heading', { level: 1, name: /live/ }).waitFor()
    const look = (selector: string, property: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property)
    expect(await look('.bar i', 'forced-color-adjust')).toBe('none')
    expect(await look('.card', 'border-top-style')).toBe('solid')
    expect(await look('.nav [aria-current]', 'outline-style')).toBe('solid')
  })
})
