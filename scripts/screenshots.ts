/**
 * Pictures of every page of the console, light and dark, into docs/images: of a real control plane, agent and Traefik, started for that.
 *
 *   node scripts/screenshots.ts                       all of them; needs Chromium and what `fairlead up` needs
 *   node scripts/screenshots.ts --out FOLDER          elsewhere
 *   node scripts/screenshots.ts --url LINK            of a control plane that runs already: LINK is a one-time link to it
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type APIRequestContext, type BrowserContext, chromium } from 'playwright-core'
import { buildConsole } from './build-console.ts'

const root = dirname(import.meta.dirname)
const CHROMIUM = '/usr/bin/chromium'
const START_MS = 180_000
const LIVE_MS = 60_000
const SIZE = { width: 1_280, height: 800 }
const SMALL = { width: 390, height: 844 }

const options = { out: { type: 'string' }, url: { type: 'string' } } as const
const { values } = parseArgs({ options })
const out = values.out ?? join(root, 'docs/images')

type Running = { readonly link: string; stop(): Promise<void> }

/** `fairlead up --demo` with a state folder of its own; resolves when it has said how to sign in. */
async function startDemo(): Promise<Running> {
  const state = await mkdtemp(join(tmpdir(), 'fairlead-pictures-'))
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), 'up', '--demo', '--state', state], {
    cwd: root,
  })
  const stop = async (): Promise<void> => {
    await ended(child)
    await rm(state, { recursive: true, force: true })
  }
  try {
    return { link: await firstLink(child), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function firstLink(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`no sign-in link within ${START_MS} ms:\n${said}`)), START_MS)
    const read = (chunk: Buffer): void => {
      said += chunk.toString()
      const link = /https?:\/\/\S+\/sign-in#\S+/.exec(said)?.[0]
      if (link === undefined) return
      clearTimeout(timer)
      resolve(link)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', code => reject(new Error(`fairlead up ended with ${code}:\n${said}`)))
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exit = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exit
}

const port = (protocol: 'tcp' | 'udp', number: number, more: object = {}) => ({ protocol, port: number, ...more })

/** What a small platform exposes. The addresses are this machine's, so that Traefik can serve them. */
const SERVICES = [
  { name: 'orders-db', preset: 'postgres', ports: [port('tcp', 5432)] },
  { name: 'ledger-db', preset: 'postgres', ports: [port('tcp', 5433)] },
  { name: 'session-cache', preset: 'redis', ports: [port('tcp', 6379)] },
  { name: 'catalog-mysql', preset: 'mysql', ports: [port('tcp', 3306)] },
  { name: 'mqtt-ingest', preset: 'mqtt', ports: [port('tcp', 1883)] },
  { name: 'resolver', preset: 'dns', ports: [port('udp', 5353)] },
  { name: 'lobby-eu', preset: 'minecraft', ports: [port('tcp', 25_565)] },
  // Nobody listens there, and Traefik is asked to look: so it is degraded.
  {
    name: 'smtp-relay',
    preset: 'smtp',
    ports: [port('tcp', 2525, { healthCheck: { interval: '1s', timeout: '500ms' } })],
  },
]

type Row = { readonly id: string; readonly name: string; readonly serviceId: string; readonly verdict: string }

async function makeServices(api: APIRequestContext, origin: string): Promise<void> {
  for (const service of SERVICES) {
    const data = { ...service, endpoints: [{ address: '127.0.0.1' }] }
    const answer = await api.post(`${origin}/api/v1/services`, { data, headers: { origin } })
    if (!answer.ok() && answer.status() !== 409) throw new Error(`${service.name}: ${await answer.text()}`)
  }
}

async function routesOf(api: APIRequestContext, origin: string): Promise<readonly Row[]> {
  const answer = await api.get(`${origin}/api/v1/routes?limit=500`)
  return ((await answer.json()) as { items: Row[] }).items
}

/** Until nothing is on its way any more. */
async function settled(api: APIRequestContext, origin: string): Promise<readonly Row[]> {
  const deadline = Date.now() + LIVE_MS
  for (;;) {
    const rows = await routesOf(api, origin)
    const isSettled =
      rows.every(({ verdict }) => verdict !== 'pending') && rows.some(({ verdict }) => verdict === 'degraded')
    if (isSettled || Date.now() > deadline) return rows
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

type Shot = { readonly name: string; readonly path: string; readonly small?: boolean }

function shotsOf(rows: readonly Row[]): readonly Shot[] {
  const orders = rows.find(({ name }) => name === 'orders-db')
  const troubled = rows.find(({ verdict }) => verdict === 'degraded') ?? orders
  return [
    { name: 'overview', path: '/', small: true },
    { name: 'services', path: '/services', small: true },
    { name: 'expose', path: '/services/new' },
    { name: 'service', path: `/services/${orders?.serviceId}` },
    { name: 'routes', path: '/routes' },
    { name: 'route', path: `/routes/${troubled?.id}` },
    { name: 'nodes', path: '/nodes' },
    { name: 'ports', path: '/ports' },
    { name: 'audit', path: '/audit' },
    { name: 'tokens', path: '/tokens' },
  ]
}

async function take(context: BrowserContext, origin: string, shot: Shot, file: string): Promise<void> {
  const page = await context.newPage()
  await page.goto(`${origin}${shot.path}`)
  await page.getByRole('heading').first().waitFor()
  await page.getByText('Up to date').first().waitFor({ state: 'attached' })
  // What is still on its way says so.
  await page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' })
  await page.waitForLoadState('networkidle', { timeout: 3_000 }).catch(() => undefined)
  await page.evaluate(() => document.fonts.ready.then(() => undefined))
  await page.screenshot({ path: file, animations: 'disabled' })
  await page.close()
  console.log(file)
}

async function main(): Promise<void> {
  await buildConsole()
  await mkdir(out, { recursive: true })
  const running = values.url === undefined ? await startDemo() : { link: values.url, stop: async () => undefined }
  const { origin, hash } = new URL(running.link)
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  try {
    const first = await browser.newContext({ viewport: SIZE })
    const data = { token: hash.slice(1) }
    const answer = await first.request.post(`${origin}/api/v1/sessions`, { data, headers: { origin } })
    if (!answer.ok()) throw new Error(`signing in was answered ${answer.status()}: ${await answer.text()}`)
    const session = await first.storageState()
    await makeServices(first.request, origin)
    const shots = shotsOf(await settled(first.request, origin))
    for (const theme of ['light', 'dark'] as const) {
      const common = { colorScheme: theme, reducedMotion: 'reduce' } as const
      const context = await browser.newContext({ ...common, viewport: SIZE, storageState: session })
      for (const shot of shots) await take(context, origin, shot, join(out, `${shot.name}-${theme}.png`))
      const stranger = await browser.newContext({ ...common, viewport: SIZE })
      const page = await stranger.newPage()
      await page.goto(`${origin}/sign-in`)
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
      await page.evaluate(() => document.fonts.ready.then(() => undefined))
      await page.screenshot({ path: join(out, `sign-in-${theme}.png`) })
      await stranger.close()
      const phone = await browser.newContext({ ...common, viewport: SMALL, hasTouch: true, storageState: session })
      for (const shot of shots.filter(({ small = false }) => small))
        await take(phone, origin, shot, join(out, `${shot.name}-small-${theme}.png`))
      await phone.close()
      await context.close()
    }
  } finally {
    await browser.close()
    await running.stop()
  }
}

await main()
