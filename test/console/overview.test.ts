import { beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleRig, openConsole } from '../support/console.ts'
import { told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('an overview with nothing in it', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
  })

  test('begins with enrolling a node', async () => {
    const page = await rig.open('/')
    await page.getByRole('heading', { name: 'No routes yet' }).waitFor()
    await page.getByRole('main').getByRole('link', { name: 'Enrol a node' }).waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
  })
})

describe.skipIf(!part('chromium'))('the overview', () => {
  let rig: ConsoleRig
  beforeAll(async () => {
    rig = await openConsole()
    for (const node of ['srv_1', 'srv_2']) await rig.fleet.node(node)
    for (const [n, name] of ['orders', 'ledger', 'mqtt', 'cache'].entries())
      await rig.fleet.route(`prt_${name}`, { externalPort: 10_001 + n })
    await rig.fleet.report('srv_1', {
      verdicts: [told('prt_orders'), told('prt_ledger'), told('prt_mqtt'), told('prt_cache')],
    })
    await rig.fleet.report('srv_2', {
      verdicts: [
        told('prt_orders'),
        told('prt_ledger', 'BACKEND_DOWN'),
        told('prt_mqtt', 'ENTRY_POINT_MISSING'),
        told('prt_cache'),
      ],
    })
  })

  test('says how many are live, and on which nodes', async () => {
    const page = await rig.open('/')
    await page.getByRole('heading', { level: 1, name: '2 live of 4, on all 2 nodes' }).waitFor()
    await page.getByRole('img', { name: '2 live, 1 degraded, 1 waiting' }).waitFor()
  })

  test('has what needs somebody, worst first, each with its remedy and one button', async () => {
    const page = await rig.open('/')
    const items = page.getByRole('region', { name: 'Needs attention' }).getByRole('listitem')
    await items.first().waitFor()
    const texts = await items.allInnerTexts()
    expect(texts.map(text => text.split('\n')[0])).toEqual(['mqtt', 'ledger'])
    expect(texts[0]).toContain('Add the entry point to the static configuration and restart Traefik.')
    await items.first().getByRole('link', { name: 'Open route' }).click()
    await page.waitForURL(/\/routes\/prt_mqtt/)
  })

  test('leads to the routes of a verdict', async () => {
    const page = await rig.open('/')
    await page.getByRole('region', { name: 'Routes by verdict' }).getByRole('link', { name: '1 degraded' }).click()
    await page.waitForURL(url => url.pathname === '/routes' && url.searchParams.get('verdict') === 'degraded')
  })

  test('counts what is not live in the side bar', async () => {
    const page = await rig.open('/')
    await page
      .getByRole('navigation', { name: 'Main' })
      .getByRole('link', { name: /Routes 2 not live/ })
      .waitFor()
  })

  test('shows a verdict that changes without being asked', async () => {
    const page = await rig.open('/')
    await page.getByRole('heading', { level: 1, name: /2 live of 4/ }).waitFor()
    await rig.fleet.report('srv_2', { verdicts: [told('prt_orders', 'TRAEFIK_DISABLED')] })
    await page.getByRole('heading', { level: 1, name: /1 live of 4/ }).waitFor()
    const first = page.getByRole('region', { name: 'Needs attention' }).getByRole('listitem').first()
    await first.getByText('refused').waitFor()
    await rig.fleet.report('srv_2', { verdicts: [told('prt_orders')] })
    await page.getByRole('heading', { level: 1, name: /2 live of 4/ }).waitFor()
  })

  test('counts without a silent node, which it names', async () => {
    await rig.fleet.quiet('srv_2', 660)
    try {
      const page = await rig.open('/')
      await page.getByRole('heading', { level: 1, name: '4 live of 4, on the one node that reports' }).waitFor()
      await page.getByText('proxy-2 silent for 11 min').waitFor()
      expect(await rig.faultsOf(page)).toEqual([])
    } finally {
      await rig.fleet.report('srv_2', {})
    }
  })
})
