import { beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM_ADMIN } from '../../src/control/access/actor.ts'
import { makeLoginLink } from '../../src/control/access/login-link.ts'
import { mutate } from '../../src/control/http/write.ts'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('signing in', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
  })

  const SIGNED_OUT = { signedIn: false } as const

  test('is where everybody is sent who is not signed in', async () => {
    const page = await rig.open('/services?q=a', SIGNED_OUT)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/sign-in')
    expect(new URL(page.url()).searchParams.get('next')).toBe('/services?q=a')
  })

  test('leads to where one wanted to go', async () => {
    const page = await rig.open('/sign-in?next=/services', SIGNED_OUT)
    await page.getByLabel('API token').fill(rig.token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Services', level: 1 }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/services')
  })

  test('with a wrong token says nothing of which tokens there are', async () => {
    const page = await rig.open('/sign-in', SIGNED_OUT)
    await page.getByLabel('API token').fill('flt_wrong')
    await page.keyboard.press('Enter')
    await page.getByText('This token is not known here, or it has ended.').waitFor()
    expect(await page.getByLabel('API token').getAttribute('aria-invalid')).toBe('true')
    expect(await page.getByLabel('API token').evaluate(field => field === document.activeElement)).toBe(true)
  })

  test('by a one-time link needs nothing typed, and leaves no code in the address', async () => {
    const { deps } = rig.control
    let url = ''
    await mutate(deps, { actor: SYSTEM_ADMIN, requestId: 'req_test' }, async m => {
      url = (await makeLoginLink(m, rig.origin)).url
      return { status: 201, body: null }
    })
    const page = await rig.open(url.slice(rig.origin.length), SIGNED_OUT)
    await page.getByRole('navigation', { name: 'Main' }).waitFor()
    expect(page.url()).toBe(`${rig.origin}/`)
    // It works once.
    const again = await rig.open(url.slice(rig.origin.length), SIGNED_OUT)
    await again.getByText('This link has been used, or it has ended.').waitFor()
    expect(new URL(again.url()).hash).toBe('')
  })

  test('that has ended loses nothing of what is typed into a dialog', async () => {
    const page = await rig.open('/tokens')
    await page.getByRole('button', { name: 'Make a token' }).first().click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('nightly')
    await page.context().clearCookies()
    await page.keyboard.press('Enter')
    await page.getByText('Your session has ended.', { exact: false }).first().waitFor()
    expect(new URL(page.url()).pathname).toBe('/tokens')
    expect(await dialog.getByLabel('Name').inputValue()).toBe('nightly')
    // Another tab signs in; then the same press makes it.
    const data = { token: rig.token }
    await page.context().request.post(`${rig.origin}/api/v1/sessions`, { data, headers: { origin: rig.origin } })
    await dialog.getByLabel('Name').press('Enter')
    await page.getByRole('dialog', { name: 'nightly' }).getByText('This is the only time', { exact: false }).waitFor()
  })

  test('ends with signing out', async () => {
    const page = await rig.open('/services')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.goto(`${rig.origin}/services`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})
