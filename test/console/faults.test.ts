/**
 * What goes wrong between the page and the control plane, on every page: it says what happened and leaves a way out, shows nothing as
 * live that may be old, keeps what was typed, and mends itself when the control plane is back. Which words are said of which answer is
 * told in test/console-unit/client.test.ts; here each place meets several of them.
 */
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { FAULTS, type Faults, faultsBefore, HELD } from '../support/console-faults.ts'
import { openPlatform, type Platform } from '../support/console-platform.ts'
import { told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'

/** What tells that something is live now. What a verdict once was (`.ll`) is no claim about now. */
const LIVE = 'main :is(.v.live, .dots .live, .bar .live, .legend .live, .rope .live):not(.ll *)'
/** Names the page that asks, so that others, which ask for the same, are answered. */
const WHOSE = 'x-test-page'
const SLOW = { timeout: 30_000 }

type Reading = {
  readonly name: string
  readonly path: (platform: Platform) => string
  /** What it cannot do without, below `/api/v1`. */
  readonly needs: (platform: Platform) => string
  /** What is said to be missing. */
  readonly what: string
  readonly there: (page: Page) => Locator
}

const drawerField = (page: Page): Locator => page.getByRole('dialog').getByLabel('Port', { exact: true })
const table = (page: Page): Locator => page.getByRole('table').first()

const READINGS: readonly Reading[] = [
  {
    ...{ name: 'console', path: () => '/', needs: () => '/sessions/current', what: 'The console' },
    there: page => page.getByRole('navigation', { name: 'Main' }),
  },
  {
    ...{ name: 'overview', path: () => '/', needs: () => '/overview', what: 'The overview' },
    there: page => page.getByRole('heading', { level: 1, name: /live/ }),
  },
  { name: 'services', path: () => '/services', needs: () => '/services?', what: 'The list', there: table },
  { name: 'expose', path: () => '/services/new', needs: () => '/presets', what: 'The form', there: drawerField },
  {
    ...{ name: 'service', path: ({ orders }) => `/services/${orders.id}`, what: 'The service' },
    needs: ({ orders }) => `/services/${orders.id}`,
    there: page => page.getByRole('heading', { name: 'TCP port 5432' }),
  },
  {
    ...{ name: 'edit', path: ({ mqtt }) => `/services/${mqtt.id}/ports/${mqtt.routeId}/edit`, what: 'The form' },
    needs: ({ mqtt }) => `/services/${mqtt.id}/ports/${mqtt.routeId}`,
    there: drawerField,
  },
  { name: 'routes', path: () => '/routes', needs: () => '/routes?', what: 'The list', there: table },
  {
    ...{ name: 'route', path: ({ smtp }) => `/routes/${smtp.routeId}?node=srv_2`, what: 'The route' },
    needs: ({ smtp }) => `/routes/${smtp.routeId}`,
    there: page => page.getByRole('heading', { name: 'What to do' }),
  },
  { name: 'nodes', path: () => '/nodes', needs: () => '/nodes?', what: 'The list', there: table },
  {
    ...{ name: 'node', path: () => '/nodes/srv_2', needs: () => '/nodes/srv_2', what: 'The node' },
    there: page => page.getByText('How it is'),
  },
  {
    ...{ name: 'ports', path: () => '/ports', needs: () => '/pools/tcp/ports', what: 'The ports' },
    there: page => page.getByRole('button', { name: /^10001, used by smtp-relay/ }),
  },
  {
    ...{ name: 'audit', path: () => '/audit', needs: () => '/audit', what: 'The log' },
    there: page => page.getByRole('region', { name: 'Today' }),
  },
  { name: 'tokens', path: () => '/tokens', needs: () => '/tokens', what: 'The list', there: table },
]

const PASSING = ['broken', 'noDatabase', 'cut', 'unreadable', 'tooMany', 'noGateway', 'half'] as const
const WORDS: Readonly<Record<(typeof PASSING)[number] | 'notAllowed' | 'notThere', string>> = {
  broken: 'Something went wrong here.',
  noDatabase: 'The database does not take part in this now; nothing was changed.',
  cut: 'The control plane does not answer.',
  half: 'The control plane does not answer.',
  unreadable: 'What came is no answer of the control plane.',
  tooMany: 'More than 600 requests in a minute.',
  noGateway: 'The proxy in front of the control plane answered 502: it does not reach it.',
  notAllowed: 'The token has not the scope admin. Sign in with a token that may do it.',
  notThere: 'There is no such thing as that.',
}

describe.skipIf(!part('chromium'))('when something goes wrong', () => {
  let platform: Platform
  let faults: Faults
  let context: BrowserContext
  beforeAll(async () => {
    platform = await openPlatform()
    const { rig } = platform
    await rig.control.asAdmin('POST', '/tokens', { name: 'ci-deploy', scopes: ['write'] })
    faults = faultsBefore(rig.control.app.server)
    context = (await rig.open('/nowhere')).context()
  })
  beforeEach(() => platform.heard())
  afterEach(() => faults.clear())

  /** A page of its own name; it is closed when the test ends. */
  async function open(path: string, name = '', isApart = false): Promise<Page> {
    // Browsers keep six connections to one address, and what is held back takes them.
    const page = await platform.rig.open(path, { headers: { [WHOSE]: name }, ...(isApart ? {} : { context }) })
    onTestFinished(() => page.close())
    return page
  }

  const meets = ({ name, needs }: Reading, fault: Parameters<Faults['set']>[1]): void => {
    const path = `/api/v1${needs(platform)}`
    const isNeeded = (url: string): boolean => (path.endsWith('?') ? url.startsWith(path) : url.split('?')[0] === path)
    faults.set(({ url = '', headers }) => headers[WHOSE] === name && isNeeded(url), fault)
  }

  const onEach = (
    act: (reading: Reading, page: Page, at: number) => Promise<void>,
    isApart = false,
  ): Promise<unknown> =>
    Promise.all(
      READINGS.map(async (reading, at) => {
        try {
          await act(reading, await open(reading.path(platform), reading.name, isApart), at)
        } catch (cause) {
          throw new Error(`${reading.name}: ${cause instanceof Error ? cause.message : cause}`, { cause })
        }
      }),
    )

  const cardOf = (page: Page, title: string): Locator => page.getByRole('group', { name: title })

  test.each([0, 3])('every page says what did not come, and has it by itself later, turn %i', async turn => {
    const { rig } = platform
    const kindAt = (at: number): (typeof PASSING)[number] => PASSING[(at + turn) % PASSING.length] ?? 'cut'
    for (const [at, reading] of READINGS.entries()) meets(reading, FAULTS[kindAt(at)])
    let left = READINGS.length
    await onEach(async ({ name, what, there }, page, at) => {
      const card = cardOf(page, `${what} did not come`)
      await card.getByText(WORDS[kindAt(at)], { exact: false }).waitFor(SLOW)
      await card.getByText('It is tried again by itself.', { exact: false }).waitFor(SLOW)
      expect(await card.getByRole('button', { name: 'Try again' }).count()).toBe(1)
      // Below a drawer the page is what it was.
      if (!['expose', 'edit'].includes(name)) expect([name, await page.locator(LIVE).count()]).toEqual([name, 0])
      // Each of them has said it before any is mended.
      left -= 1
      if (left === 0) faults.clear()
      await there(page).waitFor(SLOW)
      expect(await card.count()).toBe(0)
      expect(rig.saidBy(page).filter(one => one.startsWith('error:') || one.startsWith('csp:'))).toEqual([])
    })
  })

  test.each(['notAllowed', 'notThere'] as const)('every page has a way out of what it may not have: %s', async kind => {
    for (const reading of READINGS) meets(reading, FAULTS[kind])
    await onEach(async ({ name, what }, page) => {
      const card = cardOf(page, kind === 'notThere' ? `${what} is not there` : `${what} did not come`)
      await card.getByText(WORDS[kind], { exact: false }).waitFor(SLOW)
      expect(await card.getByText('It is tried again by itself.', { exact: false }).count()).toBe(0)
      const isOne = ['service', 'route', 'node'].includes(name)
      const out = isOne ? card.getByRole('link') : card.getByRole('button', { name: 'Try again' })
      expect([name, await out.count()]).toEqual([name, 1])
    })
  })

  test('every page that is slow shows that it waits, and nothing as live', async () => {
    for (const reading of READINGS) meets(reading, HELD)
    let left = READINGS.length
    await onEach(async ({ name, there }, page) => {
      // Who is not known to be signed in is shown nothing at all.
      if (name === 'console') await page.locator('#root').waitFor({ state: 'attached' })
      else
        await page
          .locator('[aria-busy="true"]')
          .first()
          .waitFor({ state: 'attached', ...SLOW })
      if (!['expose', 'edit'].includes(name)) expect([name, await page.locator(LIVE).count()]).toEqual([name, 0])
      left -= 1
      if (left === 0) faults.clear()
      await there(page).waitFor(SLOW)
      await expect.poll(() => page.locator('[aria-busy="true"]').count(), SLOW).toBe(0)
    }, true)
  })

  test('what could not be fetched after a change is not shown as live any more', async () => {
    const { rig, smtp } = platform
    const shown = READINGS.filter(({ name }) => ['overview', 'services', 'service', 'routes', 'route'].includes(name))
    const pages = await Promise.all(
      shown.map(async ({ name, path, there }) => {
        const page = await open(name === 'route' ? `/routes/${smtp.routeId}?node=srv_1` : path(platform), name)
        await (name === 'route' ? page.getByRole('region', { name: /^The chain/ }) : there(page)).waitFor(SLOW)
        await page.locator(LIVE).first().waitFor(SLOW)
        return [name, page] as const
      }),
    )
    faults.set(({ url = '' }) => url.startsWith('/api/v1/'), FAULTS.noDatabase)
    await rig.fleet.report('srv_1', { verdicts: [told(smtp.routeId, 'BACKEND_DOWN')] })
    for (const [name, page] of pages) {
      await page.getByRole('alert').getByText('The link to the control plane is lost.').waitFor(SLOW)
      await expect.poll(async () => [name, await page.locator(LIVE).count()], SLOW).toEqual([name, 0])
    }
    faults.clear()
    for (const [name, page] of pages) {
      await page.getByRole('alert').waitFor({ state: 'detached', ...SLOW })
      if (name !== 'route') await page.locator(LIVE).first().waitFor(SLOW)
    }
    const route = pages.find(([name]) => name === 'route')?.[1]
    await route
      ?.getByRole('region', { name: /^The chain/ })
      .getByText('degraded')
      .first()
      .waitFor(SLOW)
    await rig.fleet.report('srv_1', { verdicts: [told(smtp.routeId)] })
  })

  test('what is deleted under a page is said to be gone, and a drawer keeps what was typed', async () => {
    const { rig } = platform
    const { json } = await rig.control.asAdmin('POST', '/services', {
      ...{ name: 'doomed', endpoints: [{ address: '10.200.1.9' }], ports: [{ protocol: 'tcp', port: 7000 }] },
    })
    const portId = json.ports[0].id
    const service = await open(`/services/${json.id}`)
    const route = await open(`/routes/${portId}`)
    const drawer = await open(`/services/${json.id}/ports/${portId}/edit`)
    await service.getByRole('heading', { name: 'TCP port 7000' }).waitFor(SLOW)
    await route.getByRole('heading', { level: 1, name: 'doomed' }).waitFor(SLOW)
    await drawerField(drawer).fill('7001')
    expect((await rig.control.asAdmin('DELETE', `/services/${json.id}`)).status).toBe(200)
    await cardOf(service, 'The service is not there').getByRole('link', { name: 'Services' }).waitFor(SLOW)
    await cardOf(route, 'The route is not there').getByRole('link', { name: 'Routes' }).waitFor(SLOW)
    expect(await service.locator(LIVE).count()).toBe(0)
    await drawer.getByRole('button', { name: 'Save' }).click()
    await drawer
      .getByRole('status')
      .getByText(/there is no (?:service|port)/i)
      .waitFor(SLOW)
    // Beside its name stands what it was.
    expect(await drawer.getByRole('dialog').getByLabel(/^Port/).first().inputValue()).toBe('7001')
    // Its link is none that is lost: that it is gone is an answer.
    await service.getByText('Up to date').waitFor(SLOW)
  })

  test('the palette says that not all can be found, and claims of nothing that there is none', async () => {
    const page = await open('/tokens', 'palette')
    await table(page).waitFor(SLOW)
    faults.set(
      ({ url = '', headers }) => headers[WHOSE] === 'palette' && /^\/api\/v1\/services\?/.test(url),
      FAULTS.cut,
    )
    await page.reload()
    await table(page).waitFor(SLOW)
    await page.keyboard.press('Control+k')
    await page.keyboard.type('orders')
    await page.getByText('Not everything can be found now. The control plane does not answer.').waitFor(SLOW)
    expect(await page.getByText('nothing has that name').count()).toBe(0)
    faults.clear()
    await page.getByRole('option', { name: /^orders-db/ }).waitFor(SLOW)
  })
})
