import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { HOSTILE_SHOWN, openPlatform, type Platform } from '../support/console-platform.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('the audit log', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await openPlatform()
    const { rig, mqtt } = platform
    const { status } = await rig.control.asAdmin('PATCH', `/services/${mqtt.id}/ports/${mqtt.routeId}`, {
      maxConnectionsPerClient: 20,
    })
    expect(status).toBe(200)
  })

  test('has a sentence for each change, and what is true of it now', async () => {
    const { rig } = platform
    const page = await rig.open('/audit')
    const today = page.getByRole('region', { name: 'Today' })
    await today.getByText('changed a port of mqtt-ingest on 10002').waitFor()
    // Saved, and not read back by any node.
    await today.getByText('pending').first().waitFor()
    await today.getByText('deleted the service old-cache').waitFor()
    await today.getByText('gone', { exact: true }).waitFor()
    await today.getByText(`exposed ${HOSTILE_SHOWN}`).waitFor()
    expect(await page.locator('img').count()).toBe(0)
  })

  test('opens a row to what was before and after', async () => {
    const { rig } = platform
    const page = await rig.open('/audit?what=port')
    const row = page.getByRole('listitem').filter({ hasText: 'changed a port of mqtt-ingest' })
    const button = row.getByRole('button', { name: /^What .* changed at/ })
    await button.click()
    expect(await button.getAttribute('aria-expanded')).toBe('true')
    expect(await row.locator('ins').allTextContents()).toEqual(['20'])
    expect(await rig.faultsOf(page)).toEqual([])
  })

  test('is filtered, and the address keeps it', async () => {
    const { rig } = platform
    const page = await rig.open('/audit')
    await page.getByRole('search').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('old-cache')
    await page.waitForURL(url => url.searchParams.get('q') === 'old-cache')
    await expect.poll(() => page.locator('.au > li').count()).toBe(2)
    await page.reload()
    await expect.poll(() => page.locator('.au > li').count(), { timeout: 10_000 }).toBe(2)
    await page.goto(`${rig.origin}/audit?q=nobody-has-this`)
    await page.getByRole('heading', { name: 'No change matches “nobody-has-this”' }).waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByRole('region', { name: 'Today' }).waitFor()
  })

  test('is downloaded as a table', async () => {
    const { rig } = platform
    const page = await rig.open('/audit?what=service')
    await page.getByRole('region', { name: 'Today' }).waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export CSV' }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/^fairlead-audit-\d{4}-\d\d-\d\d\.csv$/)
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n')
    expect(lines[0]).toBe(
      'at,actor,action,resource,resourceId,projectId,revision,savedToLiveMs,slowestNode,requestId,before,after',
    )
    // Six were exposed, one was deleted.
    expect(lines.length - 1).toBe(7)
    expect(await rig.faultsOf(page)).toEqual([])
  })
})
