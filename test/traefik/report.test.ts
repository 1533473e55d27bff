/** The whole way there and back: a control plane, the agent, a real Traefik, and what the control plane is told. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startUdpBackend } from '../support/backends.ts'
import { tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { openTcp } from '../support/connections.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { startReportingPlane } from '../support/reporting-plane.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const LONG = { timeoutMs: 30_000 }

describe.skipIf(!part('traefik'))('reports', () => {
  test('a route goes live, changes and goes, and the control plane knows', async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const plane = await startReportingPlane()
    plane.set({})
    const rig = await startRig({ tcp: 2, controlPlane: plane.url })
    await waitFor(() => plane.reports.length > 0, { what: 'a first report', ...LONG })
    expect(plane.reports[0]).toMatchObject({
      schema: 1,
      reportSeq: 1,
      full: true,
      controlPlaneId: 'cp_1',
      epoch: 1,
      agentVersion: '0.0.0-test',
    })

    plane.set({ tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [one.address] })] })
    await waitFor(() => plane.told('pg')?.verdict === 'live', { what: 'pg to be told live', ...LONG })
    expect(plane.told('pg')).toMatchObject({
      protocol: 'tcp',
      revision: 2,
      timingsMs: {
        compile: expect.any(Number),
        serve: expect.any(Number),
        fetch: expect.any(Number),
        apply: expect.any(Number),
        live: expect.any(Number),
      },
    })
    await waitFor(() => plane.reports.at(-1)?.revision.applied === 2, { what: 'revision 2 applied', ...LONG })
    expect(plane.reports.at(-1)).toMatchObject({
      full: false,
      revision: { expected: 2, served: 2, applied: 2 },
      traefik: { state: 'verified', version: expect.any(String) },
      counts: { live: 1 },
    })
    const entryPoints = plane.reports.find(report => (report.entryPoints ?? []).length > 0)?.entryPoints ?? []
    expect(entryPoints).toContainEqual({
      name: `tcp-${rig.tcp[0]}`,
      address: `127.0.0.1:${rig.tcp[0]}`,
      protocol: 'tcp',
    })

    plane.set({
      tcpRoutes: [
        tcpRoute({ externalPort: rig.tcp[0], upstreams: [one.address] }),
        tcpRoute({ id: 'bad', externalPort: 1, upstreams: [two.address] }),
      ],
    })
    await waitFor(() => plane.told('bad')?.verdict === 'rejected', { what: 'bad to be told rejected', ...LONG })
    expect(plane.told('bad')).toMatchObject({ reason: 'PORT_OUT_OF_RANGE', remedy: expect.stringContaining('port') })
    expect(plane.told('bad')?.chain?.map(({ step, ok }) => [step, ok])).toEqual([
      ['expected', true],
      ['compiled', false],
      ['served', null],
      ['applied', null],
      ['probed', null],
    ])
    // What stays as it was is not told again.
    expect(plane.history('pg').filter(({ verdict }) => verdict === 'live')).toHaveLength(1)

    plane.set({ tcpRoutes: [] }, { removed: ['pg', 'bad'] })
    await waitFor(() => plane.ids().length === 0 && plane.reports.at(-1)?.revision.applied === 4, {
      what: 'both to be told gone',
      ...LONG,
    })
  })

  test('a failed probe comes with its chain and what is served', async () => {
    const plane = await startReportingPlane()
    const rig = await startRig({ controlPlane: plane.url })
    const away = `127.0.0.1:${await freePort('tcp')}`
    plane.set({ tcpRoutes: [tcpRoute({ probe: true, externalPort: rig.tcp[0], upstreams: [away] })] })
    await waitFor(() => plane.told('pg')?.verdict === 'degraded', { what: 'pg to be told degraded', ...LONG })
    const row = plane.told('pg')
    expect(row).toMatchObject({ reason: 'PROBE_FAILED', message: 'the connection was closed: no upstream takes it' })
    expect(row?.chain?.at(-1)).toMatchObject({ step: 'probed', ok: false, detail: row?.message })
    expect(row?.served).toMatchObject({
      router: { rule: 'HostSNI(`*`)', service: 'tcp_pg' },
      service: { loadBalancer: { servers: [{ address: away }] } },
    })
  })

  test('a probe that a person asks for is answered by its id', async () => {
    const [tcp, udp] = await Promise.all([startTcpBackend({ name: 'tcp' }), startUdpBackend({ name: 'udp' })])
    const plane = await startReportingPlane()
    const rig = await startRig({ controlPlane: plane.url })
    plane.set({
      tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [tcp.address] })],
      udpRoutes: [udpRoute({ externalPort: rig.udp[0], upstreams: [udp.address] })],
    })
    await waitFor(() => plane.told('dns')?.verdict === 'live', { what: 'dns to be told live', ...LONG })
    expect(tcp.hits()).toBe(0)
    plane.change({
      probes: [
        { id: 'pg', requestId: 'req_1' },
        { id: 'udp/dns', requestId: 'req_2' },
      ],
    })
    const answer = (id: string) => plane.told(id)?.chain?.find(({ step }) => step === 'probed')
    await waitFor(() => answer('pg')?.requestId === 'req_1' && answer('dns')?.requestId === 'req_2', {
      what: 'both answers',
      ...LONG,
    })
    expect(answer('pg')).toMatchObject({ ok: true, detail: 'answered' })
    expect(answer('dns')).toMatchObject({ ok: null, detail: expect.stringContaining('give probe.sendHex') })
    expect(plane.told('pg')?.verdict).toBe('live')
    const asked = tcp.hits()
    // The wish stands in the document for half a minute, and is heard once.
    plane.change({
      probes: [
        { id: 'pg', requestId: 'req_1' },
        { id: 'pg', requestId: 'req_3' },
      ],
    })
    await waitFor(() => answer('pg')?.requestId === 'req_3', { what: 'the next answer', ...LONG })
    expect(tcp.hits()).toBe(asked + 1)
  })

  test('while removals are held no revision counts as applied', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const plane = await startReportingPlane()
    const rig = await startRig({ tcp: 12, controlPlane: plane.url })
    const routes = rig.tcp.map((externalPort, i) =>
      tcpRoute({ id: `r${i}`, externalPort, upstreams: [backend.address] }),
    )
    plane.set({ tcpRoutes: routes })
    await waitFor(() => plane.reports.at(-1)?.revision.applied === 1, { what: 'revision 1 applied', ...LONG })
    plane.set({ tcpRoutes: routes.slice(0, 2) })
    await waitFor(() => plane.told('r5')?.verdict === 'held', { what: 'r5 to be told held', ...LONG })
    await rig.applied()
    await waitFor(() => plane.reports.at(-1)?.revision.expected === 2 && plane.reports.at(-1)?.held !== null, {
      what: 'the hold to be told',
      ...LONG,
    })
    const last = plane.reports.at(-1)
    expect(last?.revision).toEqual({ expected: 2, served: 2, applied: 1 })
    expect(last?.counts).toMatchObject({ live: 2, held: 10 })
    expect(last?.held?.removals).toHaveLength(10)
    expect(await tcpName(rig.tcp[5] ?? 0)).toBe('pg')
    plane.change({ acceptedHash: last?.held?.hash })
    await waitFor(() => plane.reports.at(-1)?.revision.applied === 2, { what: 'revision 2 applied', ...LONG })
    expect(plane.reports.at(-1)).toMatchObject({ held: null, counts: { live: 2, held: 0 } })
    await waitFor(() => plane.ids().length === 2, { what: 'ten routes to be told gone', ...LONG })
  })

  test('open connections of a port ride along', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const plane = await startReportingPlane()
    const rig = await startRig({
      controlPlane: plane.url,
      staticExtra: { metrics: { prometheus: { entryPoint: 'traefik' } } },
    })
    plane.set({ tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })] })
    await rig.verdict('tcp/pg', 'live')
    await openTcp(rig.tcp[0] ?? 0)
    await openTcp(rig.tcp[0] ?? 0)
    // The numbers are looked up now and then only, and at the start.
    await rig.stopAgent()
    const before = plane.reports.length
    await rig.startAgent()
    await waitFor(() => plane.reports.slice(before).some(({ openConnections }) => openConnections.pg === 2), {
      what: 'two connections to be told',
      timeoutMs: 50_000,
    })
  })

  test('another control plane is never told anything', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const plane = await startReportingPlane({})
    const rig = await startRig({ controlPlane: plane.url })
    const to = (id: string) =>
      plane.set({ tcpRoutes: [tcpRoute({ id, externalPort: rig.tcp[0], upstreams: [backend.address] })] })
    for (let i = 0; i < 6; i++) {
      to(`r${i}`)
      await rig.verdict(`tcp/r${i}`, 'live')
    }
    expect([plane.attempts(), rig.status().report?.active]).toEqual([0, false])
  })

  test('routes of local files are told to nobody', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const plane = await startReportingPlane()
    const directory = join(await tempFolder(), 'routes.d')
    await mkdir(directory)
    plane.set({})
    const rig = await startRig({
      tcp: 3,
      settings: ({ tcp }) => ({
        sources: { files: { directory }, controlPlane: { urls: [plane.url] } },
        ports: { tcp: tcp.join(','), udp: 'none' },
      }),
    })
    const at = (id: string, i: number) => tcpRoute({ id, externalPort: rig.tcp[i], upstreams: [backend.address] })
    await writeFile(join(directory, 'own.json'), JSON.stringify({ tcpRoutes: [at('own', 0), at('both', 1)] }))
    await rig.verdict('tcp/own', 'live')
    plane.set({ tcpRoutes: [at('both', 1), at('theirs', 2)] })
    await waitFor(() => plane.told('theirs')?.verdict === 'live', { what: 'theirs to be told live', ...LONG })
    await waitFor(() => plane.told('both') !== undefined, { what: 'both to be told', ...LONG })
    expect(plane.ids()).toEqual(['both', 'theirs'])
    expect(plane.told('both')).toMatchObject({ verdict: 'conflicted' })
    expect(plane.reports.at(-1)?.counts).toMatchObject({ live: 1, conflicted: 1 })
  })

  test('a control plane that takes no reports keeps nothing from serving', async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const plane = await startReportingPlane()
    plane.status = 'never'
    const rig = await startRig({ controlPlane: plane.url })
    const to = (address: string) =>
      plane.set({ tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [address] })] })
    to(one.address)
    await rig.verdict('tcp/pg', 'live')
    await waitFor(() => plane.attempts() === 1, { what: 'a report', ...LONG })
    to(two.address)
    await waitFor(async () => (await tcpName(rig.tcp[0] ?? 0)) === 'two', { what: 'the change', ...LONG })
    const began = performance.now()
    await rig.stopAgent()
    expect(performance.now() - began).toBeLessThan(5_000)
    plane.status = 204
    await rig.startAgent()
    await waitFor(() => plane.told('pg')?.verdict === 'live', { what: 'pg to be told live', ...LONG })
    expect(plane.reports[0]).toMatchObject({ full: true, reportSeq: 1 })
  })
})
