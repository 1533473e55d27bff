/** What is sent and does not arrive, is refused, or whose answer is lost: the form says so, keeps what was typed, and can be sent again. */
import { sql } from 'drizzle-orm'
import type { Locator, Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FAULTS, type Faults, faultsBefore } from '../support/console-faults.ts'
import { openPlatform, type Platform } from '../support/console-platform.ts'
import { part } from '../support/parts.ts'

const SLOW = { timeout: 30_000 }

type Writing = {
  readonly what: string
  readonly path: (platform: Platform) => string
  /** Opens it; resolves with the field that is typed in, null: there is none. */
  readonly open: (page: Page) => Promise<Locator | null>
  readonly typed: string
  readonly send: string
}

const inDialog = (page: Page): Locator => page.getByRole('dialog')

async function choose(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name }).click()
}

const WRITINGS: readonly Writing[] = [
  {
    ...{ what: 'a new port', path: () => '/services/new?name=ledger', typed: 'ledger', send: 'Expose' },
    async open(page) {
      await inDialog(page).getByLabel('Backends').fill('10.200.1.30:8123')
      await inDialog(page).getByLabel('Backends').press('Enter')
      return inDialog(page).getByLabel(/^Name/).first()
    },
  },
  {
    ...{ what: 'an edited port', typed: '1884', send: 'Save' },
    path: ({ mqtt }) => `/services/${mqtt.id}/ports/${mqtt.routeId}/edit`,
    // Beside its name stands what it was.
    open: async page => inDialog(page).getByLabel(/^Port/).first(),
  },
  {
    ...{ what: 'a name', path: ({ smtp }) => `/services/${smtp.id}`, typed: 'mail-relay', send: 'Rename' },
    async open(page) {
      await choose(page, 'Rename')
      return inDialog(page).getByLabel('Name')
    },
  },
  {
    ...{ what: 'backends', path: ({ dns }) => `/services/${dns.id}`, typed: '10.200.1.31', send: 'Save' },
    async open(page) {
      await choose(page, 'Backends')
      return inDialog(page).getByLabel('Addresses')
    },
  },
  {
    ...{ what: 'the name of a node', path: () => '/nodes/srv_4', typed: 'proxy-four', send: 'Rename' },
    async open(page) {
      await page.getByRole('button', { name: 'Rename' }).click()
      return inDialog(page).getByLabel('Name')
    },
  },
  {
    ...{ what: 'a reserved port', path: () => '/ports?port=10020', typed: 'for Ada', send: 'Reserve' },
    async open(page) {
      await page.getByRole('group', { name: 'Port 10020' }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Reserve' }).click()
      return inDialog(page).getByRole('textbox')
    },
  },
  {
    ...{ what: 'a token', path: () => '/tokens', typed: 'nightly', send: 'Make it' },
    async open(page) {
      await page.getByRole('button', { name: 'Make a token' }).click()
      return inDialog(page).getByLabel('Name')
    },
  },
  {
    ...{ what: 'a deleted port', path: ({ hostile }) => `/services/${hostile.id}`, typed: '', send: 'Delete' },
    async open(page) {
      await page.getByRole('button', { name: 'Delete port 6379' }).click()
      return null
    },
  },
]

/** Words of each, as far as all forms say the same. */
const KINDS: readonly (readonly [kind: keyof typeof FAULTS, words: RegExp])[] = [
  ['broken', /Something went wrong here\. Report it with the request id/],
  ['noDatabase', /The database does not take part in this now; nothing was changed\. Try again in a moment\./],
  ['notAllowed', /The token has not the scope admin\. Sign in with a token that may do it\./],
  ['tooMany', /More than 600 requests in a minute\. Try again in a moment\./],
  ['noGateway', /The proxy in front of the control plane answered 502/],
  ['cut', /The control plane does not answer\./],
  ['half', /The control plane does not answer\./],
  ['unreadable', /What came is no answer of the control plane\./],
]

describe.skipIf(!part('chromium'))('what is sent', () => {
  let platform: Platform
  let faults: Faults
  beforeAll(async () => {
    platform = await openPlatform()
    faults = faultsBefore(platform.rig.control.app.server)
  })
  beforeEach(() => platform.heard())
  afterEach(() => faults.clear())

  const isWrite = ({ method, url = '' }: { method?: string | undefined; url?: string | undefined }): boolean =>
    method !== 'GET' && !url.includes('dryRun') && url.startsWith('/api/v1/')

  test.each(WRITINGS)('$what: every fault is told, nothing typed is lost, and it is sent again', async writing => {
    const page = await platform.rig.open(writing.path(platform))
    const field = await writing.open(page)
    await field?.fill(writing.typed)
    const send = inDialog(page).getByRole('button', { name: writing.send, exact: false }).last()
    await expect.poll(() => send.isEnabled(), SLOW).toBe(true)
    for (const [kind, words] of KINDS) {
      faults.set(isWrite, FAULTS[kind])
      await send.click()
      await inDialog(page).getByText(words).first().waitFor(SLOW)
      if (['cut', 'half', 'unreadable', 'noGateway'].includes(kind))
        expect([
          kind,
          await inDialog(page)
            .getByText(/nothing was changed/i)
            .count(),
        ]).toEqual([kind, 0])
      if (field !== null && writing.what !== 'backends')
        expect([kind, await field.inputValue()]).toEqual([kind, writing.typed])
      else if (field !== null) await inDialog(page).getByText(writing.typed).first().waitFor()
      faults.clear()
      await expect.poll(() => send.isEnabled(), SLOW).toBe(true)
    }
    await send.click()
    // What is shown once is shown, or it is done and the dialog is gone.
    if (writing.what === 'a new port') await page.getByRole('dialog', { name: 'Exposed' }).waitFor(SLOW)
    else if (writing.what === 'an edited port') await page.getByRole('dialog', { name: 'Saved' }).waitFor(SLOW)
    else if (writing.what === 'a token') await page.getByRole('dialog', { name: 'nightly' }).waitFor(SLOW)
    else await inDialog(page).waitFor({ state: 'detached', ...SLOW })
    expect(platform.rig.saidBy(page).filter(one => /^(?:error|csp):/.test(one))).toEqual([])
  })

  test('and done, but its answer is lost: nobody claims that nothing was done, and it is done once', async () => {
    const { rig } = platform
    const page = await rig.open('/services/new?name=only-once')
    await inDialog(page).getByLabel('Backends').fill('10.200.1.40:8123')
    await inDialog(page).getByLabel('Backends').press('Enter')
    const send = inDialog(page).getByRole('button', { name: 'Expose' })
    await expect.poll(() => send.isEnabled(), SLOW).toBe(true)
    faults.set(isWrite, FAULTS.lost)
    await send.click()
    await inDialog(page).getByText('Whether it was saved is not known.', { exact: false }).waitFor(SLOW)
    const made = async (): Promise<number> =>
      (await rig.control.asAdmin('GET', '/services?limit=500')).json.items.filter(
        ({ name }: { readonly name: string }) => name === 'only-once',
      ).length
    await expect.poll(made, SLOW).toBe(1)
    faults.clear()
    await send.click()
    await page.getByRole('dialog', { name: 'Exposed' }).waitFor(SLOW)
    expect(await made()).toBe(1)
  })

  test('after the session has ended stays in the form, and elsewhere leads to the sign-in and back', async () => {
    const { rig } = platform
    const page = await rig.open('/services/new?name=late')
    await inDialog(page).getByLabel('Backends').fill('10.200.1.41:8123')
    await inDialog(page).getByLabel('Backends').press('Enter')
    const list = await rig.open('/services?q=orders', { context: page.context() })
    await list.getByRole('table').waitFor()
    await rig.control.database.transaction(tx =>
      tx.execute(sql`update sessions set expires_at = now() - interval '1 s'`),
    )
    await inDialog(page).getByRole('button', { name: 'Expose' }).click()
    const note = page.getByRole('region', { name: 'Notes' })
    await note.getByText('Your session has ended.', { exact: false }).waitFor(SLOW)
    // The note lies over the drawer, and to put it away is not to leave the drawer.
    await note.getByRole('button', { name: 'Close' }).click()
    await note.getByText('Your session has ended.', { exact: false }).waitFor({ state: 'detached' })
    expect(await inDialog(page).getByLabel(/^Name/).first().inputValue()).toBe('late')
    await list.goto(`${rig.origin}/services?q=orders`)
    await list.getByLabel('API token').fill(rig.token)
    expect(new URL(list.url()).searchParams.get('next')).toBe('/services?q=orders')
    await list.keyboard.press('Enter')
    await list.getByRole('row', { name: /orders-db/ }).waitFor(SLOW)
    expect(new URL(list.url()).search).toBe('?q=orders')
    await inDialog(page).getByRole('button', { name: 'Expose' }).click()
    await page.getByRole('dialog', { name: 'Exposed' }).waitFor(SLOW)
  })

  test('at the sign-in: what went wrong is told, and the token stays typed', async () => {
    const { rig } = platform
    const page = await rig.open('/sign-in?next=/tokens', { signedIn: false })
    await page.getByLabel('API token').fill(rig.token)
    for (const [kind, words] of KINDS.filter(([one]) => one !== 'notAllowed')) {
      faults.set(isWrite, FAULTS[kind])
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText(words).first().waitFor(SLOW)
      expect(await page.getByLabel('API token').inputValue()).toBe(rig.token)
      faults.clear()
    }
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: 'API tokens' }).waitFor(SLOW)
  })

  test('with a token for one project: every page opens, and says what it may not show', async () => {
    const { rig } = platform
    const token = await rig.control.tokenFor({ scopes: ['read'], projectId: await rig.control.project('shop') })
    const context = (await rig.open('/', { token })).context()
    for (const path of ['/', '/services', '/routes', '/nodes', '/ports', '/audit', '/tokens', '/services/new']) {
      const page = await rig.open(path, { context })
      await page.getByRole('heading', { level: 1 }).first().waitFor(SLOW)
      await expect.poll(() => page.locator('[aria-busy="true"]').count(), SLOW).toBe(0)
      expect([path, rig.saidBy(page).filter(one => /^(?:error|csp):/.test(one))]).toEqual([path, []])
      expect([path, await page.getByText('The console itself has a fault.').count()]).toEqual([path, 0])
      expect([path, await page.getByText('orders-db').count()]).toEqual([path, 0])
      await page.close()
    }
    const page = await rig.open('/tokens', { context })
    await page.getByText('Sign in with a token that may do it.', { exact: false }).waitFor(SLOW)
  })
})
