/** Exposing a port, as a person does it: a real control plane, agent and Traefik, and clients that come through. */
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildConsole } from '../../scripts/build-console.ts'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startTlsBackend } from '../support/backends.ts'
import { tcpName, tlsAsk } from '../support/clients.ts'
import { type ConsoleBrowser, openBrowser } from '../support/console.ts'
import { type ControlProgram, startControlProgram } from '../support/control-program.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PATIENCE = { timeout: 100_000 }
const TEST_MS = 300_000

describe.skipIf(!part('traefik') || !part('chromium'))('a port that is exposed in the console', () => {
  let rig: Rig
  let plane: ControlProgram
  let browser: ConsoleBrowser
  let shared = 0

  beforeAll(async () => {
    await buildConsole()
    const identityFile = join(await tempFolder(), 'identity.json')
    const port = await freePort('tcp')
    rig = await startRig({
      ...{ tcp: 10, udp: 2, agent: false, entryPoints: { web: {} } },
      settings: {
        sources: { controlPlane: { urls: [`http://127.0.0.1:${port}`], identityFile, pollInterval: '200ms' } },
        http: { entryPoints: ['web'], redirectFrom: null },
      },
    })
    shared = rig.tcp.at(-1) ?? 0
    plane = await startControlProgram({
      databaseUrl: null,
      port,
      settings: {
        ports: { tcp: rig.tcp.join(','), udp: rig.udp.join(','), shared: String(shared) },
        release: { leastTime: '1s' },
      },
    })
    await plane.enroll('proxy-1', identityFile)
    await rig.startAgent()
    const { json } = await plane.ask('POST', '/tokens', { name: 'ada', scopes: ['admin'] })
    browser = await openBrowser({ origin: plane.url, token: json.token })
  }, TEST_MS)

  const drawerOf = (page: Page): Locator => page.getByRole('dialog', { name: /Expose a port|Edit the port|Add a port/ })

  /** Past the console: what is there already. */
  async function make(name: string, fields: object): Promise<{ id: string; portId: string; port: number }> {
    const { json, status } = await plane.ask('POST', '/services', {
      ...{ name, endpoints: [{ address: '127.0.0.1' }], ports: [{ protocol: 'tcp', ...fields }] },
    })
    if (status !== 201) throw new Error(JSON.stringify(json))
    return { id: json.id, portId: json.ports[0].id, port: json.ports[0].externalPort }
  }

  async function openForm(page: Page): Promise<Locator> {
    await page.getByRole('heading', { level: 1 }).first().waitFor()
    await page.keyboard.press('c')
    const drawer = drawerOf(page)
    await drawer.getByLabel('Name', { exact: true }).waitFor()
    return drawer
  }

  test('is live before the eyes, and a client connects by its host name', { timeout: TEST_MS }, async () => {
    const backend = await startTlsBackend({ name: 'db.example.com' })
    const page = await browser.open('/services')
    const drawer = await openForm(page)
    // Whoever has opened it can type at once.
    expect(
      await page.evaluate(() => document.activeElement?.closest('.field')?.querySelector('label')?.textContent),
    ).toBe('Name')
    await page.keyboard.type('orders-db')
    await drawer.getByLabel('Backends').fill(`127.0.0.1:${backend.port}`)
    await drawer.getByLabel('Backends').press('Enter')
    expect(await drawer.getByLabel('Port', { exact: true }).inputValue()).toBe(String(backend.port))
    // The server behind it speaks no PostgreSQL, and the probe of that preset would notice.
    await drawer.getByRole('radio', { name: 'Other TCP' }).click()
    await drawer.getByRole('switch', { name: 'Route by host name (SNI)' }).click()
    expect(await drawer.getByRole('switch', { name: 'TLS passthrough' }).getAttribute('aria-checked')).toBe('true')
    expect(await drawer.getByRole('radio', { name: `Shared ${shared}` }).getAttribute('aria-checked')).toBe('true')
    await drawer.getByLabel('SNI host name').fill('db.example.com')

    const plan = drawer.getByRole('complementary', { name: 'What will change' })
    await plan.getByText(`db.example.com:${shared}`).first().waitFor()
    await plan.getByText('HostSNI(`db.example.com`)').waitFor()
    await drawer.getByText('Checked by the control plane. Nothing is changed yet.').waitFor()
    expect(await browser.faultsOf(page)).toEqual([])

    await page.keyboard.press('Control+Enter')
    const saved = page.getByRole('dialog', { name: 'Exposed' })
    await saved.getByText(/^[\d.]+ (?:ms|s) from saved to live$/).waitFor(PATIENCE)
    expect(await saved.locator('.v.pill').textContent()).toBe('live')
    await saved.getByText(`db.example.com:${shared}`).first().waitFor()
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Copy')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(`db.example.com:${shared}`)
    await page
      .locator('[data-region="status"]')
      .getByText(/^orders-db is live, /)
      .waitFor({ state: 'attached' })
    expect(await browser.faultsOf(page)).toEqual([])

    expect((await tlsAsk(shared, 'db.example.com')).kind).toBe('certificate')
    expect(await tlsAsk(shared, 'other.example.com')).not.toHaveProperty('text', 'db.example.com')
    await saved.getByRole('button', { name: 'Done' }).click()
    await page
      .getByRole('row', { name: /orders-db/ })
      .getByText('live', { exact: true })
      .waitFor()
    expect(new URL(page.url()).pathname).toBe('/services')
  })

  test('is exposed with keys alone', { timeout: TEST_MS }, async () => {
    const backend = await startTcpBackend({ name: 'keys' })
    const page = await browser.open('/services')
    const drawer = await openForm(page)
    await page.keyboard.type('by-keys')
    await page.keyboard.press('Tab')
    await page.keyboard.press('End')
    expect(await drawer.getByRole('radio', { name: 'Other TCP' }).getAttribute('aria-checked')).toBe('true')
    await page.keyboard.press('Tab')
    await page.keyboard.type(`127.0.0.1:${backend.port} `)
    await page.keyboard.press('Control+Enter')
    const saved = page.getByRole('dialog', { name: 'Exposed' })
    await saved.getByText('from saved to live').waitFor(PATIENCE)
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Copy')
    await page.keyboard.press('Enter')
    const copied = await waitFor(() => page.evaluate(() => navigator.clipboard.readText()), { what: 'the address' })
    expect(await tcpName(Number(copied.split(':')[1]))).toBe('keys')
    await page.keyboard.press('Escape')
    await saved.waitFor({ state: 'detached' })
    expect(new URL(page.url()).pathname).toBe('/services')
    expect(await browser.faultsOf(page)).toEqual([])
  })

  test('is offered a name, with a number where that is taken', { timeout: TEST_MS }, async () => {
    await make('redis-127-0-0-1-6379', { port: 6379 })
    const page = await browser.open('/services')
    const drawer = await openForm(page)
    const name = drawer.getByLabel('Name', { exact: true })
    await drawer.getByLabel('Backends').fill('127.0.0.1:6379')
    await drawer.getByLabel('Backends').press('Enter')
    expect(await drawer.getByRole('radio', { name: 'Redis' }).getAttribute('aria-checked')).toBe('true')
    await expect.poll(() => name.inputValue(), { timeout: 15_000 }).toBe('redis-127-0-0-1-6379-2')
    await drawer.getByLabel('Port', { exact: true }).fill('6380')
    expect(await name.inputValue()).toBe('redis-127-0-0-1-6380')
    await name.fill('sessions')
    await drawer.getByLabel('Port', { exact: true }).fill('6381')
    expect(await name.inputValue()).toBe('sessions')
    await name.fill('')
    await name.blur()
    expect(await name.inputValue()).toBe('redis-127-0-0-1-6381')
    await drawer.getByText('Checked by the control plane. Nothing is changed yet.').waitFor()
    expect(await browser.faultsOf(page)).toEqual([])
  })

  test('is edited, and another browser sees it', { timeout: TEST_MS }, async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const made = await make('edited', { port: one.port })
    const [page, other] = await Promise.all([
      browser.open(`/services/${made.id}`),
      browser.open(`/services/${made.id}`),
    ])
    await other.getByRole('heading', { name: `TCP port ${one.port}` }).waitFor()
    await page.getByRole('heading', { name: `TCP port ${one.port}` }).waitFor()
    await page.keyboard.press('e')
    const drawer = drawerOf(page)
    await drawer.getByText('Nothing is changed yet.').first().waitFor()
    expect(await drawer.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
    await drawer.getByLabel('Port', { exact: true }).fill(String(two.port))
    await drawer.getByText(`was ${one.port}`).waitFor()
    const plan = drawer.getByRole('complementary', { name: 'What will change' })
    await plan.getByText('Backend port').waitFor()
    expect(await plan.locator('li').first().textContent()).toBe(`~Backend port ${one.port} → ${two.port}`)
    expect(await browser.faultsOf(page)).toEqual([])
    await drawer.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('dialog', { name: 'Saved' }).getByText('from saved to live').waitFor(PATIENCE)
    await waitFor(async () => (await tcpName(made.port)) === 'two', { what: 'the other backend', timeoutMs: 20_000 })
    await other.getByRole('heading', { name: `TCP port ${two.port}` }).waitFor()
  })

  test('says who has what is taken, and what is nearest', { timeout: TEST_MS }, async () => {
    const taken = await make('ledger-db', {
      port: 5432,
      sniHostname: 'ledger.example.com',
      shared,
      tlsPassthrough: true,
    })
    const alone = await make('catalog', { port: 3306 })
    expect(taken.port).toBe(shared)
    const page = await browser.open('/services/new')
    const drawer = drawerOf(page)
    await drawer.getByLabel('Name', { exact: true }).fill('late')
    await drawer.getByLabel('Backends').fill('127.0.0.1')
    await drawer.getByLabel('Backends').press('Enter')
    await drawer.getByRole('radio', { name: 'I choose' }).click()
    await drawer.getByLabel('Wanted port').fill(String(alone.port))
    const fault = drawer.locator('.err')
    await fault.getByText(/catalog/).waitFor()
    const said = (await fault.first().textContent()) ?? ''
    const nearest = rig.tcp.find(port => port !== alone.port && said.includes(String(port)))
    expect(said).toContain(String(alone.port))
    expect(nearest).toBeDefined()
    expect(await drawer.getByRole('button', { name: 'Expose' }).isDisabled()).toBe(true)
    await drawer.getByLabel('Wanted port').fill(String(nearest))
    await drawer.getByText(`${nearest} is yours.`).waitFor()
    await drawer.getByRole('switch', { name: 'Route by host name (SNI)' }).click()
    await drawer.getByRole('radio', { name: `Shared ${shared}` }).click()
    await drawer.getByLabel('SNI host name').fill('ledger.example.com')
    await fault.getByText(/ledger-db/).waitFor()
    await drawer.getByText('As of the last valid entry.', { exact: false }).waitFor()
    expect(await browser.faultsOf(page)).toEqual([])
  })

  test('shows what somebody else has changed meanwhile, field by field', { timeout: TEST_MS }, async () => {
    const made = await make('contested', { port: 7000 })
    const page = await browser.open(`/services/${made.id}/ports/${made.portId}/edit`)
    const drawer = drawerOf(page)
    await drawer.getByLabel('Port', { exact: true }).fill('7001')
    await drawer.getByText('Backend port').waitFor()
    const theirs = await plane.ask('PATCH', `/services/${made.id}/ports/${made.portId}`, {
      ...{ port: 7002, maxConnectionsPerClient: 5 },
    })
    expect(theirs.status).toBe(200)
    await drawer.getByRole('button', { name: 'Save' }).click()
    await drawer.getByText('Somebody changed this').waitFor()
    expect(await drawer.getByRole('radio', { name: 'mine: 7001' }).getAttribute('aria-checked')).toBe('true')
    await drawer.getByRole('radio', { name: 'theirs: 7002' }).waitFor()
    expect((await browser.faultsOf(page)).filter(fault => !fault.includes('412'))).toEqual([])
    await drawer.getByRole('button', { name: 'Go on with these' }).click()
    await drawer.getByText('was 7002').waitFor()
    await drawer.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('dialog', { name: 'Saved' }).waitFor()
    const { json } = await plane.ask('GET', `/services/${made.id}/ports/${made.portId}`)
    expect([json.port, json.maxConnectionsPerClient]).toEqual([7001, 5])
  })

  test('is deleted, and its number rests until the node has let go', { timeout: TEST_MS }, async () => {
    const made = await make('doomed', { port: 7003 })
    await waitFor(async () => (await plane.ask('GET', `/routes/${made.portId}`)).json?.nodes?.[0]?.revision, {
      ...{ what: 'the node to have it', timeoutMs: 30_000 },
    })
    await rig.stopAgent()
    const page = await browser.open(`/services/${made.id}`)
    try {
      await page.getByRole('button', { name: 'Delete port 7003' }).click()
      const dialog = page.getByRole('dialog', { name: /^Delete/ })
      await dialog.getByText(`127.0.0.1:${made.port}`).first().waitFor()
      expect(await browser.faultsOf(page)).toEqual([])
      await dialog.getByRole('button', { name: 'Delete' }).click()
      await page.getByText(`${made.port} rests`).waitFor()
      await page.getByRole('heading', { name: 'It has no port yet' }).waitFor()
      await page.goto(`${plane.url}/ports?port=${made.port}`)
      await page.getByRole('button', { name: `${made.port}, resting, waits for proxy-1` }).waitFor()
      // That the route is gone is asked, and answered with 404.
      expect((await browser.faultsOf(page)).filter(fault => !fault.includes('404'))).toEqual([])
    } finally {
      await rig.startAgent()
    }
    // No node holds it back any more, and its least time is over: the next one who asks for it may have it.
    await page.getByRole('button', { name: `${made.port}, free`, exact: true }).waitFor(PATIENCE)
  })

  test('is not known while the control plane is away, and known again after', { timeout: TEST_MS }, async () => {
    const backend = await startTcpBackend({ name: 'steady' })
    const made = await make('steady', { port: backend.port })
    const page = await browser.open('/services?q=steady')
    const row = page.getByRole('row', { name: /steady/ })
    await row.getByText('live', { exact: true }).waitFor(PATIENCE)
    await plane.kill()
    await row.getByText('was live', { exact: true }).waitFor(PATIENCE)
    expect(await page.locator('.v.live, .dots .live').count()).toBe(0)
    expect(await tcpName(made.port)).toBe('steady')
    await plane.start()
    await row.getByText('live', { exact: true }).waitFor(PATIENCE)
  })
})
