/** What the control plane says of a route, from the saving of it to its end: the real agent and a real Traefik tell it. */
import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { generateKey, writeIdentity } from '../../src/agent/identity.ts'
import type { RouteOnNode } from '../../src/api/route.ts'
import { startRig } from '../support/agent-rig.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpName } from '../support/clients.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { makeFleet } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PATIENCE = { timeoutMs: 40_000 }
const isText = expect.any(String)

/** A control plane in this process on an embedded database, and a node that is enrolled there. */
async function startBoth() {
  const port = await freePort('tcp')
  const identityFile = join(await tempFolder(), 'identity.json')
  const rig = await startRig({
    tcp: 4,
    agent: false,
    settings: {
      sources: { controlPlane: { urls: [`http://127.0.0.1:${port}`], identityFile, pollInterval: '200ms' } },
    },
  })
  const control = await controlApp({
    settings: JSON.stringify({
      publicHost: '127.0.0.1',
      ports: { tcp: rig.tcp.join(','), udp: 'none' },
      policy: { allowUpstreams: ['127.0.0.0/8'] },
    }),
  })
  atEnd(() => control.close())
  const { privateKeyPem, publicKey } = generateKey()
  const fleet = makeFleet(control.database)
  await fleet.node('srv_1', { publicKey })
  const { controlPlaneId } = control.database
  const identity = { serverId: 'srv_1', controlPlaneId, privateKey: createPrivateKey(privateKeyPem) }
  await writeIdentity(identityFile, identity, { replace: false })
  await control.app.listen({ port, host: '127.0.0.1' })
  await rig.startAgent()
  // The first report tells what is, not how long it took to be.
  await waitFor(async () => (await control.asAdmin('GET', '/nodes/srv_1')).json.traefik?.version != null, {
    what: 'the first report',
    ...PATIENCE,
  })
  return { rig, control, fleet }
}

const onNode = async (control: ControlApp, routeId: string): Promise<RouteOnNode | undefined> =>
  (await control.asAdmin('GET', `/routes/${routeId}`)).json.nodes?.[0]

const until = (control: ControlApp, routeId: string, verdict: string) =>
  waitFor(
    async () => {
      const found = await onNode(control, routeId)
      return found?.verdict === verdict ? found : undefined
    },
    { what: `${routeId} to be ${verdict}`, ...PATIENCE },
  )

async function makeService(control: ControlApp, name: string, port: object) {
  const { json: project } = await control.asAdmin('POST', '/projects', { name: `project-${name}` })
  const made = await control.asAdmin('POST', '/services', {
    ...{ projectId: project.id, name, endpoints: [{ address: '127.0.0.1' }], ports: [{ protocol: 'tcp', ...port }] },
  })
  if (made.status !== 201) throw new Error(made.text)
  const [{ id, externalPort }] = made.json.ports
  return { serviceId: String(made.json.id), routeId: String(id), externalPort: Number(externalPort) }
}

describe.skipIf(!part('traefik'))('the verdict of a route', () => {
  test('goes from saved to live to gone, and is known', { timeout: 120_000 }, async () => {
    const { rig, control, fleet } = await startBoth()
    const backend = await startTcpBackend({ name: 'one' })
    const { serviceId, routeId, externalPort } = await makeService(control, 'one', { port: backend.port })
    const live = await until(control, routeId, 'live')
    expect(await tcpName(externalPort)).toBe('one')
    expect(live.chain.map(({ step, ok }) => [step, ok])).toEqual([
      ['expected', true],
      ['compiled', true],
      ['served', true],
      ['applied', true],
      ['probed', null],
    ])
    expect(live.timingsMs).toMatchObject({ apply: expect.any(Number), savedToLive: expect.any(Number) })
    expect(live).toMatchObject({ since: isText, silent: false, openConnections: 0 })

    // What is shown as compiled is what Traefik was given.
    const name = `tcp_${routeId}`
    const shown = await (await fetch(`${rig.traefik.api.origin}/api/tcp/routers/${name}@http`)).json()
    const router = live.configuration?.routers[name]
    expect(live.configuration?.origin).toBe('compiled')
    expect(shown).toMatchObject({ ...Object(router), service: name })

    await waitFor(async () => (await control.asAdmin('GET', '/nodes/srv_1')).json.revision.lag === 0, {
      what: 'the revision to be applied',
      ...PATIENCE,
    })
    expect((await control.asAdmin('GET', '/nodes/srv_1')).json).toMatchObject({
      silent: false,
      agentVersion: '0.0.0-test',
      traefik: { state: 'verified', version: isText },
      counts: { live: 1 },
      missingEntryPoints: [],
      held: null,
    })

    const probe = (await control.asAdmin('POST', `/routes/${routeId}/probe`)).json
    expect(probe.nodeIds).toEqual(['srv_1'])
    const probed = await waitFor(
      async () => {
        const link = (await onNode(control, routeId))?.chain.at(-1)
        return link?.requestId === probe.requestId ? link : undefined
      },
      { what: 'the answer of the probe', ...PATIENCE },
    )
    expect(probed).toMatchObject({ step: 'probed', ok: true, detail: 'answered' })

    await rig.stopAgent()
    await fleet.quiet('srv_1', 600)
    expect(await onNode(control, routeId)).toMatchObject({ verdict: 'unknown', was: 'live', silent: true })
    await rig.startAgent()
    await until(control, routeId, 'live')

    expect((await control.asAdmin('DELETE', `/services/${serviceId}`)).status).toBe(200)
    const verdicts = async () =>
      (await control.asAdmin('GET', `/routes/${routeId}/history`)).json.items.map(
        ({ verdict }: { readonly verdict: string }) => verdict,
      )
    await waitFor(async () => (await verdicts())[0] === 'gone', { what: 'the route to be gone', ...PATIENCE })
    expect((await verdicts()).slice(0, 2)).toEqual(['gone', 'live'])
  })

  test('that is not live comes with its reason and what is served', { timeout: 120_000 }, async () => {
    const { control } = await startBoth()
    const away = await freePort('tcp')
    const { routeId } = await makeService(control, 'away', { port: away, probe: true })
    const found = await until(control, routeId, 'degraded')
    expect(found).toMatchObject({
      reason: 'PROBE_FAILED',
      message: 'the connection was closed: no upstream takes it',
      remedy: isText,
      brokenAt: 'probed',
      configuration: {
        origin: 'served',
        routers: { [`tcp_${routeId}`]: { rule: 'HostSNI(`*`)' } },
        services: { [`tcp_${routeId}`]: { loadBalancer: { servers: [{ address: `127.0.0.1:${away}` }] } } },
      },
    })
    const overview = (await control.asAdmin('GET', '/overview')).json
    expect(overview.routes.byVerdict).toMatchObject({ live: 0, degraded: 1 })
    expect(overview.attention).toMatchObject([{ kind: 'route', verdict: 'degraded', routeId, nodeName: 'proxy-1' }])
  })
})
