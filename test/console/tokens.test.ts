import { beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { HOSTILE, HOSTILE_SHOWN } from '../support/console-platform.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('the API tokens', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
    await rig.control.asAdmin('POST', '/tokens', { name: 'ci-deploy', scopes: ['write'], expiresInSeconds: 86_400 })
  })

  test('are made, shown once, used, and revoked', async () => {
    const page = await rig.open('/tokens')
    await page.getByRole('button', { name: 'Make a token' }).click()
    const dialog = page.getByRole('dialog', { name: 'Make an API token' })
    await dialog.getByLabel('Name').fill('nightly')
    expect(await rig.faultsOf(page)).toEqual([])
    await page.keyboard.press('Enter')
    const shown = page.getByRole('dialog', { name: 'nightly' })
    await shown.getByText('This is the only time that it is shown', { exact: false }).waitFor()
    // Neither a key nor a click beside it loses what is shown only once.
    await page.keyboard.press('Escape')
    await shown.getByRole('button', { name: 'Copy' }).first().click()
    const token = await page.evaluate(() => navigator.clipboard.readText())
    expect(await shown.textContent()).toContain(token)
    expect((await rig.control.as(token)('GET', '/services')).status).toBe(200)
    expect((await rig.control.as(token)('GET', '/tokens')).status).toBe(403)
    expect(await rig.faultsOf(page)).toEqual([])
    await shown.getByRole('button', { name: 'I have kept it' }).click()
    await shown.waitFor({ state: 'detached' })
    expect(await page.locator('body').textContent()).not.toContain(token)
    await page.getByRole('row', { name: /nightly/ }).waitFor()
    await page.getByRole('button', { name: 'Revoke nightly' }).click()
    const question = page.getByRole('dialog', { name: 'Revoke nightly?' })
    await question.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('row', { name: /nightly/ }).waitFor({ state: 'detached' })
    expect((await rig.control.as(token)('GET', '/services')).status).toBe(401)
  })

  test('stand with what they may, and when they end', async () => {
    const page = await rig.open('/tokens')
    const row = page.getByRole('row', { name: /ci-deploy/ })
    expect(await row.getByRole('cell').nth(1).textContent()).toBe('write')
    await row.getByText(/^soon, /).waitFor()
    await row.getByText('never').waitFor()
  })

  test('have names that are text', async () => {
    const made = await rig.control.asAdmin('POST', '/tokens', { name: HOSTILE, scopes: ['read'] })
    // Whoever is not let in by the interface cannot be shown.
    if (made.status === 201) {
      const page = await rig.open('/tokens')
      await page.getByText(HOSTILE_SHOWN).first().waitFor()
      expect(await page.locator('img').count()).toBe(0)
    } else expect(made.status).toBe(422)
  })
})
