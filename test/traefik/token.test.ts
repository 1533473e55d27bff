/** A provider endpoint with a token: who knows it gets the configuration, anybody else gets nothing and keeps what it has. */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { startTraefik } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const [RIGHT, WRONG, NEW] = ['right-token-0123456789', 'wrong-token-0123456789', 'new-token-0123456789']

describe.skipIf(!part('traefik'))('a provider endpoint with a token', () => {
  test('a Traefik with a wrong token never gets the configuration', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig({ token: RIGHT })
    const [port = 0] = rig.tcp
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: port, upstreams: [backend.address] })] })
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(port)).toBe('pg')
    expect(rig.status().traefik).toMatchObject({ state: 'verified', unauthorized: 0 })

    const { endpoint } = rig
    const strangers = [await startTraefik({ endpoint, token: WRONG }), await startTraefik({ endpoint })]
    await waitFor(() => rig.status().traefik.unauthorized >= 4, { what: 'polls of strangers to be refused' })
    for (const stranger of strangers) {
      const { tcpRouters, tcpServices } = Object(await stranger.get('/api/rawdata'))
      expect([tcpRouters, tcpServices]).toEqual([undefined, undefined])
    }
    const asked = await fetch(endpoint, { headers: { authorization: `Bearer ${WRONG}` } })
    expect([asked.status, (await asked.text()).includes(backend.address)]).toEqual([401, false])
    // The one that knows the token goes on as if there were no others.
    await rig.write('pg.yaml', { tcpRoutes: [] })
    await waitFor(async () => (await tcpName(port)) === 'closed', { what: 'the removed route to close' })

    const told = [JSON.stringify([rig.log(), rig.status()])]
    for (const path of ['/status', '/metrics', '/readyz']) told.push(await (await fetch(`${rig.admin}${path}`)).text())
    for (const token of [RIGHT, WRONG]) expect(told.filter(text => text.includes(token))).toEqual([])
    expect(rig.log().some(({ level, msg }) => level === 40 && /refused/.test(String(msg)))).toBe(true)
  })

  test('a Traefik with an old token keeps what it has', async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const rig = await startRig({ token: RIGHT })
    const [port = 0] = rig.tcp
    const to = (address: string) =>
      rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: port, upstreams: [address] })] })
    await to(one.address)
    await rig.verdict('tcp/pg', 'live')

    await rig.stopAgent()
    await writeFile(rig.tokenFile, NEW, { mode: 0o600 })
    await to(two.address)
    await rig.startAgent()
    await waitFor(() => rig.status().traefik.unauthorized >= 2, { what: 'polls with the old token to be refused' })
    await waitFor(() => rig.status().routes[0]?.reason === 'TOKEN_REFUSED', { what: 'the reason to be the token' })
    expect(await (await fetch(`${rig.admin}/explain/pg`)).json()).toMatchObject({
      verdict: 'pending',
      reason: 'TOKEN_REFUSED',
      brokenAt: 'served',
    })
    expect(rig.status().traefik).toMatchObject({ state: 'never-polled', lastPollAt: null })
    expect(await tcpName(port)).toBe('one')

    const file = await readFile(rig.traefik.staticFile, 'utf8')
    await writeFile(rig.traefik.staticFile, file.replace(RIGHT, NEW))
    await rig.traefik.restart()
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(port)).toBe('two')
  })

  test('a token that others can read is not used', async () => {
    const rig = await startRig({ token: RIGHT, agent: false })
    await chmod(rig.tokenFile, 0o644)
    await expect(rig.startAgent()).rejects.toMatchObject({ code: 'SECRET_FILE_NOT_PRIVATE' })
  })
})
