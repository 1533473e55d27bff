import { beforeAll, describe, expect, test } from 'vitest'
import { generateKey } from '../../src/agent/identity.ts'
import { HOSTILE_SHOWN, openPlatform, type Platform } from '../support/console-platform.ts'
import { enrolledNode } from '../support/node-client.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('chromium'))('the nodes', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await openPlatform()
  })

  test('stand in a table, each with what is known of it', async () => {
    const { rig } = platform
    const page = await rig.open('/nodes')
    const row = (name: string) => page.getByRole('row', { name: new RegExp(name) })
    await row('proxy-1').getByText('current').waitFor()
    await row('proxy-2').getByText('1 degraded, 1 refused and 1 waiting').waitFor()
    await row('proxy-3').getByText('holds 2 removals').waitFor()
    await row('proxy-4')
      .getByText(/^silent for 1\d min$/)
      .waitFor()
    expect(await row('proxy-4').getByText('not known').count()).toBe(4)
    await page.getByText('3 of 4 report.', { exact: false }).waitFor()
  })

  test('say which lines Traefik lacks, who waits, and what a restart costs', async () => {
    const { rig, mqtt } = platform
    const page = await rig.open('/nodes/srv_2')
    await page.getByRole('heading', { name: 'proxy-2 lacks 1 entry point' }).waitFor()
    await page.getByText(/1.377 connections open now will be cut;/).waitFor()
    expect(await page.locator('.code pre').first().textContent()).toBe(
      'entryPoints:\n  tcp-10002:\n    address: ":10002"\n',
    )
    await page.getByRole('row', { name: new RegExp(HOSTILE_SHOWN.slice(0, 12)) }).waitFor()
    await page.getByRole('link', { name: 'mqtt-ingest' }).first().click()
    await page.waitForURL(url => url.pathname === `/routes/${mqtt.routeId}` && url.search === '?node=srv_2')
  })

  test('let go of what is held once somebody accepts it', async () => {
    const { rig } = platform
    const page = await rig.open('/nodes')
    await page.getByRole('heading', { name: 'proxy-3 holds 2 removals' }).waitFor()
    await page.getByRole('button', { name: 'Let 2 routes go' }).click()
    await page.getByText('Accepted. The node lets them go with its next answer.').waitFor()
    await page
      .getByRole('row', { name: /proxy-3/ })
      .getByText('accepted, not done yet')
      .waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
  })

  test('come in before the eyes of who enrols them', async () => {
    const { rig } = platform
    const page = await rig.open('/nodes')
    await page.getByRole('link', { name: 'Enrol a node' }).click()
    await page.getByText('Waiting for the node.').waitFor()
    expect(await rig.faultsOf(page)).toEqual([])
    await page.locator('.steps').getByRole('button', { name: /^Copy/ }).first().click()
    const command = await page.evaluate(() => navigator.clipboard.readText())
    const token = /--token (\S+)/.exec(command)?.[1]
    expect(token).toBeDefined()
    const { status } = await rig.control.inject('POST', '/agent/enroll', {
      ...{ token, publicKey: generateKey().publicKey, name: 'proxy-9', version: '0.0.0-test' },
    })
    expect(status).toBe(201)
    await page.getByText('proxy-9 is enrolled.').waitFor()
    await page
      .getByRole('row', { name: /proxy-9/ })
      .getByText('has not reported yet')
      .waitFor()
    await page.locator('[data-region="status"]').getByText('proxy-9 is enrolled').waitFor({ state: 'attached' })
    await page.getByRole('link', { name: 'Open proxy-9' }).click()
    await page.getByRole('heading', { level: 1, name: 'proxy-9' }).waitFor()
  })

  test('are retired only by their name, and forgotten after', async () => {
    const { rig } = platform
    const { id } = await enrolledNode(rig.control, 'proxy-old')
    const page = await rig.open(`/nodes/${id}`)
    await page.getByRole('button', { name: 'Retire' }).click()
    const dialog = page.getByRole('dialog', { name: 'Retire proxy-old?' })
    const button = dialog.getByRole('button', { name: 'Retire' })
    await dialog.getByLabel('Its name, to be sure').fill('proxy-ol')
    expect(await button.isDisabled()).toBe(true)
    await dialog.getByLabel('Its name, to be sure').fill('proxy-old')
    expect(await rig.faultsOf(page)).toEqual([])
    await button.click()
    await page.getByRole('button', { name: 'Forget' }).click()
    await page.getByRole('dialog', { name: 'Forget proxy-old?' }).getByRole('button', { name: 'Forget' }).click()
    await page.waitForURL(url => url.pathname === '/nodes')
    await page.getByRole('row', { name: /proxy-old/ }).waitFor({ state: 'detached' })
  })

  test('that are silent prove nothing of their routes', async () => {
    const { rig } = platform
    const page = await rig.open('/nodes/srv_4')
    await page.getByText(/not known while nothing is heard of the node/).waitFor()
    expect(await page.locator('main .v.live').count()).toBe(0)
  })
})
