import { beforeAll, describe, expect, test } from 'vitest'
import { HOSTILE_SHOWN, openPlatform, type Platform } from '../support/console-platform.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('the page of a service', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await openPlatform()
  })

  test('has the address, the way to it, its nodes, backends and last change', async () => {
    const { rig, orders } = platform
    const page = await rig.open(`/services/${orders.id}`)
    const card = page.getByRole('region', { name: 'TCP port 5432' })
    expect(await card.locator('.address code').textContent()).toBe('orders.example.com:10000')
    await card.getByText('The backend keeps the certificate; the proxy reads only the name.').waitFor()
    await card.getByRole('tab', { name: 'openssl' }).click()
    await card.getByText(/openssl s_client/).waitFor()
    await page
      .getByText(/^1.377 open$/)
      .first()
      .waitFor()
    await page.getByText('was live').waitFor()
    await page.getByText('10.200.1.6').waitFor()
    await page.getByText('exposed it').waitFor()
    await page.keyboard.press('y')
    await page.locator('[data-region="status"]').getByText('address copied').waitFor({ state: 'attached' })
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('orders.example.com:10000')
    await page.keyboard.press('x')
    await page.waitForURL(url => url.pathname === `/routes/${orders.routeId}`)
  })

  test('opens the edit with E, closes it with Escape, and is where it was', async () => {
    const { rig, mqtt } = platform
    const page = await rig.open(`/services/${mqtt.id}`)
    await page.getByRole('heading', { name: 'TCP port 1883' }).waitFor()
    await page.getByRole('link', { name: 'Edit port 1883' }).focus()
    await page.keyboard.press('Enter')
    await page
      .getByRole('dialog', { name: 'Edit the port of mqtt-ingest' })
      .getByLabel('Port', { exact: true })
      .waitFor()
    expect(new URL(page.url()).pathname).toBe(`/services/${mqtt.id}/ports/${mqtt.routeId}/edit`)
    await page.keyboard.press('Escape')
    await page.waitForURL(url => url.pathname === `/services/${mqtt.id}`)
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Edit port 1883')
    await page.keyboard.press('e')
    await page.getByRole('dialog', { name: 'Edit the port of mqtt-ingest' }).waitFor()
  })

  test('changes the backends, and says when somebody else was quicker', async () => {
    const { rig, dns } = platform
    const page = await rig.open(`/services/${dns.id}`)
    await page.getByRole('button', { name: 'Change', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Backends of resolver' })
    await dialog.getByLabel('Addresses').fill('10.200.1.7')
    await dialog.getByLabel('Addresses').press('Enter')
    expect(await rig.faultsOf(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByText('resolver has 2 backends').waitFor()
    await page.locator('.ep').getByText('10.200.1.7').waitFor()
  })

  test('asks for the name before it deletes what has open connections', async () => {
    const { rig, orders } = platform
    const page = await rig.open(`/services/${orders.id}`)
    await page.getByRole('button', { name: 'Delete port 5432' }).click()
    const dialog = page.getByRole('dialog', { name: /^Delete/ })
    await dialog
      .getByText(/connections/)
      .first()
      .waitFor()
    const button = dialog.getByRole('button', { name: 'Delete' })
    expect(await button.isDisabled()).toBe(true)
    await dialog.getByLabel('Its name, since connections are open').fill('orders.example.com:10000')
    await expect.poll(() => button.isDisabled()).toBe(false)
    expect(await rig.faultsOf(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Keep it' }).click()
    await dialog.waitFor({ state: 'detached' })
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Delete port 5432')
  })

  test('shows a name that looks like HTML as the text that it is', async () => {
    const { rig, hostile } = platform
    const page = await rig.open(`/services/${hostile.id}`)
    await page.getByRole('heading', { level: 1, name: HOSTILE_SHOWN }).waitFor()
    await page.getByText(`Traefik says ${HOSTILE_SHOWN}`).first().waitFor()
    expect(await page.locator('img').count()).toBe(0)
    expect(await rig.faultsOf(page)).toEqual([])
  })
})
