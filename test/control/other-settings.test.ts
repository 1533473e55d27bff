/** Two control planes on one database whose settings are not the same, as in the minute between two restarts. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeJobs } from '../../src/control/jobs/all.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { onEachDatabase } from '../support/database.ts'

onEachDatabase('settings that differ', use => {
  let wide: ControlApp
  let narrow: ControlApp
  beforeEach(async () => {
    const deps = { database: use() }
    wide = await controlApp({ deps, settings: 'ports: { tcp: 10000-10003, shared: [443] }' })
    narrow = await controlApp({ deps, settings: 'ports: { tcp: 10000-10001, reserved: [10000] }' })
  })
  afterEach(async () => {
    await wide.close()
    await narrow.close()
  })

  const make = async (control: ControlApp, name: string, port: object) =>
    (await control.asAdmin('POST', '/services', { name, ports: [{ port: 5432, protocol: 'tcp', ...port }] })).json

  test('cost nobody a number that the other gave', async () => {
    const outside = await make(wide, 'a', { externalPort: 10_003 })
    const named = await make(wide, 'b', { shared: 443, sniHostname: 'b.example.com' })
    const inside = await make(narrow, 'c', {})
    expect([outside, named, inside].map(({ ports }) => ports[0].externalPort)).toEqual([10_003, 443, 10_001])
    // The chores of the one that does not know these numbers leave them where they are.
    for (const job of makeJobs(narrow.deps)) await job.run()
    for (const control of [wide, narrow])
      for (const made of [outside, named, inside]) {
        const { status, json } = await control.asAdmin('GET', `/services/${made.id}`)
        expect([status, json.ports]).toEqual([200, made.ports])
      }
    for (const path of ['/pools', '/pools/tcp/ports', '/overview', '/routes'])
      expect((await narrow.asAdmin('GET', path)).status).toBe(200)
  })

  test('let both change and release what either gave', async () => {
    const made = await make(wide, 'a', { externalPort: 10_003 })
    const path = `/services/${made.id}/ports/${made.ports[0].id}`
    const kept = await narrow.asAdmin('PATCH', path, { port: 5433 })
    expect([kept.status, kept.json.externalPort]).toEqual([200, 10_003])
    expect((await make(narrow, 'b', { externalPort: 10_002 })).code).toBe('PORT_OUT_OF_RANGE')
    expect((await narrow.asAdmin('DELETE', path)).status).toBe(200)
    expect((await make(wide, 'c', { externalPort: 10_003 })).ports[0].externalPort).toBe(10_003)
  })
})
