/** Every page, drawer and dialog of the console, over the platform of console-platform.ts: where it is, and when it is all there. */
import type { Locator, Page } from 'playwright-core'
import type { Platform } from './console-platform.ts'

export type Place = {
  readonly what: string
  readonly path: (platform: Platform) => string
  /** What is done on the page to come to it. */
  readonly open?: (page: Page, platform: Platform) => Promise<void>
  /** It is there. */
  readonly there: (page: Page) => Locator
  /** Where there are no keys and no side bar there is another way to it; or there is none. */
  readonly isForWide?: true
  readonly isForNarrow?: true
  /** Default true. */
  readonly signedIn?: boolean
}

const dialog = (page: Page, name: string | RegExp): Locator => page.getByRole('dialog', { name })
const drawerField = (page: Page): Locator => page.getByRole('dialog').getByLabel('Port', { exact: true })

async function choose(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name }).click()
}

export const PLACES: readonly Place[] = [
  {
    what: 'the overview',
    path: () => '/',
    there: page => page.getByRole('region', { name: 'Last changes' }),
  },
  { what: 'the services', path: () => '/services', there: page => page.getByRole('table', { name: 'Services' }) },
  { what: 'the drawer for TCP', path: () => '/services/new', there: drawerField },
  { what: 'the drawer for UDP', path: () => '/services/new?protocol=udp', there: drawerField },
  { what: 'the drawer for HTTP', path: () => '/services/new?protocol=http', there: drawerField },
  {
    what: 'a service',
    path: ({ orders }) => `/services/${orders.id}`,
    there: page => page.getByRole('heading', { name: 'TCP port 5432' }),
  },
  {
    what: 'the menu of a service',
    path: ({ orders }) => `/services/${orders.id}`,
    open: page => page.getByRole('button', { name: 'More' }).click(),
    there: page => page.getByRole('menuitem', { name: 'Rename' }),
  },
  { what: 'the drawer for another port', path: ({ orders }) => `/services/${orders.id}/ports/new`, there: drawerField },
  {
    what: 'the drawer of a port',
    path: ({ mqtt }) => `/services/${mqtt.id}/ports/${mqtt.routeId}/edit`,
    there: drawerField,
  },
  {
    what: 'the backends of a service',
    path: ({ orders }) => `/services/${orders.id}`,
    open: page => choose(page, 'Backends'),
    there: page => dialog(page, /^Backends of/).getByLabel('Addresses'),
  },
  {
    what: 'the name of a service',
    path: ({ orders }) => `/services/${orders.id}`,
    open: page => choose(page, 'Rename'),
    there: page => dialog(page, 'Rename').getByLabel('Name'),
  },
  {
    what: 'the question before a port is deleted',
    path: ({ orders }) => `/services/${orders.id}`,
    open: page => page.getByRole('button', { name: 'Delete port 5432' }).click(),
    there: page => dialog(page, /^Delete/).getByLabel('Its name, since connections are open'),
  },
  { what: 'the routes', path: () => '/routes', there: page => page.getByRole('table', { name: 'Routes' }) },
  {
    what: 'the choice of verdicts',
    path: () => '/routes',
    open: page => page.getByRole('search').getByRole('button', { name: 'Verdict' }).click(),
    there: page => page.getByRole('menuitemcheckbox', { name: 'waiting' }),
  },
  {
    what: 'a route that is degraded',
    path: ({ smtp }) => `/routes/${smtp.routeId}?node=srv_2`,
    there: page => page.getByRole('heading', { name: 'What to do' }),
  },
  {
    what: 'a route on a silent node',
    path: ({ orders }) => `/routes/${orders.routeId}?node=srv_4`,
    there: page => page.getByRole('heading', { name: 'What to do' }),
  },
  { what: 'the nodes', path: () => '/nodes', there: page => page.getByRole('table') },
  { what: 'the enrolment', path: () => '/nodes/enrol', there: page => page.getByText('Waiting for the node.') },
  {
    what: 'a node that lacks an entry point',
    path: () => '/nodes/srv_2',
    there: page => page.getByRole('heading', { name: 'proxy-2 lacks 1 entry point' }),
  },
  { what: 'a silent node', path: () => '/nodes/srv_4', there: page => page.getByText('Administration') },
  {
    what: 'the question before a node is retired',
    path: () => '/nodes/srv_4',
    open: page => page.getByRole('button', { name: 'Retire' }).click(),
    there: page => dialog(page, /^Retire/).getByLabel('Its name, to be sure'),
  },
  { what: 'the ports', path: () => '/ports?port=10001', there: page => page.getByText('smtp-relay').first() },
  {
    what: 'the question before a port is reserved',
    path: () => '/ports?port=10020',
    async open(page) {
      await page.getByRole('group', { name: 'Port 10020' }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Reserve' }).click()
    },
    there: page => dialog(page, 'Reserve 10020').getByRole('textbox'),
    isForWide: true,
  },
  {
    what: 'the audit log',
    path: () => '/audit',
    open: page =>
      page
        .getByRole('button', { name: /^What .* changed at/ })
        .first()
        .click(),
    there: page => page.locator('.au [aria-expanded="true"]'),
  },
  { what: 'the API tokens', path: () => '/tokens', there: page => page.getByRole('row', { name: /ci-deploy/ }) },
  {
    what: 'a new API token',
    path: () => '/tokens',
    open: page => page.getByRole('button', { name: 'Make a token' }).click(),
    there: page => dialog(page, 'Make an API token').getByLabel('Name'),
  },
  {
    what: 'the question before a token is revoked',
    path: () => '/tokens',
    open: page => page.getByRole('button', { name: 'Revoke ci-deploy' }).click(),
    there: page => dialog(page, 'Revoke ci-deploy?'),
  },
  {
    what: 'the palette',
    path: () => '/services',
    open: page => page.getByRole('button', { name: 'Find or do' }).first().click(),
    there: page => page.getByRole('option').first(),
  },
  {
    what: 'the keys',
    path: () => '/services',
    async open(page) {
      await page.getByRole('table').waitFor()
      await page.keyboard.press('?')
    },
    there: page => dialog(page, 'Keys'),
    isForWide: true,
  },
  {
    what: 'the places of a small window',
    path: () => '/services',
    open: page => page.getByRole('button', { name: 'Menu', exact: true }).click(),
    there: page => dialog(page, 'Menu').getByRole('link', { name: 'Overview' }),
    isForNarrow: true,
  },
  {
    what: 'no page',
    path: () => '/nowhere',
    there: page => page.getByRole('heading', { level: 1, name: 'There is no such page' }),
  },
  {
    what: 'the sign-in',
    path: () => '/sign-in',
    there: page => page.getByRole('heading', { name: 'Sign in' }),
    signedIn: false,
  },
]
