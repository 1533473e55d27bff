/**
 * The console as people have it: the real control plane on a real database, the console that was built of the sources, a real browser.
 *
 *   const rig = await openConsole()                       once for a file, in beforeAll
 *   const page = await rig.open('/services')              signed in; { theme: 'dark', width: 390 } as needed
 *   await page.getByRole('heading', { name: 'Services' }).waitFor()
 *   expect(await rig.faultsOf(page)).toEqual([])          what broke the policy, was said on the console, or axe finds serious
 *
 * Data is made through the interface (`rig.control.asAdmin`), nodes and their reports past it (`rig.fleet`).
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { buildConsole } from '../../scripts/build-console.ts'
import { atEnd } from './at-end.ts'
import { type ControlApp, type ControlAppOptions, controlApp } from './control-app.ts'
import { makeFleet } from './control-fleet.ts'

export type OpenOptions = {
  readonly theme?: 'light' | 'dark'
  readonly width?: number
  readonly height?: number
  /** Default true: with a session that may do everything. */
  readonly signedIn?: boolean
  /** In a context that is there, as another tab of the same browser. */
  readonly context?: BrowserContext
  readonly reducedMotion?: boolean
  readonly forcedColors?: boolean
  /** Sent with every request of the page. */
  readonly headers?: Readonly<Record<string, string>>
  /** An API token to sign in with; default: one that may do everything. */
  readonly token?: string
}

export type FaultOptions = {
  /** Default: every rule of axe; these alone where only colours are other than they were. */
  readonly rules?: readonly string[]
}

/** What of a page changes with its colours alone. */
export const COLOUR_RULES = ['color-contrast', 'link-in-text-block'] as const

/** A browser at a control plane, wherever that runs. */
export type ConsoleBrowser = {
  readonly browser: Browser
  /** A page that has loaded; what it says wrong is collected from its first moment on. */
  open(path: string, options?: OpenOptions): Promise<Page>
  /** Everything that a page must not do, so far: `csp: ...`, `console: ...`, `error: ...`, `axe: ...`, `sideways: ...`. */
  faultsOf(page: Page, options?: FaultOptions): Promise<readonly string[]>
  /** Of those, what it has said by itself; it is not looked at. */
  saidBy(page: Page): readonly string[]
  close(): Promise<void>
}

export type ConsoleRig = ConsoleBrowser & {
  readonly origin: string
  readonly control: ControlApp
  readonly fleet: ReturnType<typeof makeFleet>
  /** An API token that may do everything. */
  readonly token: string
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const CHROMIUM = '/usr/bin/chromium'
const WAIT_MS = 30_000

export async function openConsole(options: ControlAppOptions = {}): Promise<ConsoleRig> {
  await buildConsole()
  const control = await controlApp(options)
  await control.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = control.app.server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const token = await control.tokenFor({ scopes: ['admin'] })
  const rig = await openBrowser({ origin, token })
  const close = async (): Promise<void> => {
    await rig.close()
    await control.close()
  }
  atEnd(close)
  return { ...rig, origin, control, fleet: makeFleet(control.database), token, close }
}

/** Chromium at the control plane of `origin`, whose console has been built; `token`: an API token to sign in with. */
export async function openBrowser({
  origin,
  token,
}: {
  readonly origin: string
  readonly token: string
}): Promise<ConsoleBrowser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  const said = new WeakMap<Page, string[]>()

  async function newContext(given: OpenOptions): Promise<BrowserContext> {
    const { theme = 'light', width = 1_440, height = 900, signedIn = true } = given
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      hasTouch: width < 600,
      reducedMotion: given.reducedMotion === true ? 'reduce' : 'no-preference',
      forcedColors: given.forcedColors === true ? 'active' : 'none',
    })
    context.setDefaultTimeout(WAIT_MS)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin })
    if (signedIn) {
      const data = { token: given.token ?? token }
      const answer = await context.request.post(`${origin}/api/v1/sessions`, { data, headers: { origin } })
      if (answer.status() !== 201) throw new Error(`signing in was answered ${answer.status()}: ${await answer.text()}`)
    }
    return context
  }

  const rig: ConsoleBrowser = {
    browser,
    async open(path, given = {}) {
      const context = given.context ?? (await newContext(given))
      // A page that stays open goes on asking with each event, and the next test waits for it.
      if (given.context === undefined) atEnd(() => context.close())
      const page = await context.newPage()
      if (given.headers !== undefined) await page.setExtraHTTPHeaders(given.headers)
      const faults: string[] = []
      said.set(page, faults)
      page.on('pageerror', error => faults.push(`error: ${error.message}`))
      page.on('console', message => {
        if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`)
      })
      await page.exposeFunction('fairleadViolation', (text: string) => void faults.push(`csp: ${text}`))
      await page.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', event => {
          const told = Reflect.get(window, 'fairleadViolation')
          if (typeof told === 'function') told(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`)
        })
      })
      await page.goto(`${origin}${path}`)
      return page
    },
    saidBy: page => said.get(page) ?? [],
    async faultsOf(page, { rules = [] } = {}) {
      const moving = await page.evaluate(endMotion)
      // Half a megabyte, which a page is given once.
      const isThere = await page.evaluate(() => Reflect.get(window, 'axe') !== undefined)
      const axe = await page.evaluate(runAxe, { source: isThere ? '' : AXE, rules: [...rules] })
      const sideways = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      return [...(said.get(page) ?? []), ...moving, ...axe, ...(sideways > 0 ? [`sideways: ${sideways} px`] : [])]
    },
    close: () => browser.close(),
  }
  atEnd(() => rig.close())
  return rig
}

/** Animations that run change colours: axe looks at what is there in the end. What begins anew each time is a fault. */
async function endMotion(): Promise<string[]> {
  const running = (): readonly Animation[] =>
    document.getAnimations().filter(one => one.effect?.getTiming().iterations !== Number.POSITIVE_INFINITY)
  for (let round = 0; round < 20; round += 1) {
    if (running().length === 0) return []
    for (const one of running()) one.finish()
    await new Promise(requestAnimationFrame)
  }
  return running().map(({ effect }) => {
    const element = effect instanceof KeyframeEffect ? effect.target : null
    return `moving: ${element?.outerHTML.slice(0, 200)}`
  })
}

/** Runs in the page, past its policy: playwright evaluates it, no script element does. */
async function runAxe({ source, rules }: { source: string; rules: string[] }): Promise<string[]> {
  type Found = {
    readonly violations: readonly {
      readonly id: string
      readonly impact: string | null
      readonly nodes: readonly { readonly target: unknown; readonly failureSummary?: string }[]
    }[]
  }
  if (source !== '') new Function(source)()
  const axe = Reflect.get(window, 'axe') as { run(context: unknown, options: unknown): Promise<Found> }
  // The guards at both ends of a dialog or a menu of Base UI: they hand the focus on, and nobody ever stands on one.
  const { violations } = await axe.run(
    { include: [['html']], exclude: [['[data-base-ui-focus-guard]']] },
    { resultTypes: ['violations'], ...(rules.length === 0 ? {} : { runOnly: rules }) },
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `axe: ${id} at ${String(target)}: ${failureSummary}`),
    )
}
