/**
 * What we compile, against what Traefik makes of it: it must take every body whole, and enable every router and service in it just as we
 * wrote them. On the Traefik of the tests, and on those in FAIRLEAD_TEST_TRAEFIKS, a list of paths parted by colons.
 */
import { fc } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { capabilitiesOf } from '../../src/core/capabilities.ts'
import { compile } from '../../src/core/compile.ts'
import { hostRule, hostSniRule } from '../../src/core/host-sni.ts'
import { mergeSources } from '../../src/core/merge.ts'
import type { ObservedTraefik } from '../../src/core/observed.ts'
import { beaconName, makeSnapshot, type Snapshot } from '../../src/core/payload.ts'
import { makePortSet } from '../../src/core/port-set.ts'
import { parseNetwork } from '../../src/core/upstream.ts'
import { FEW, lists, type World } from '../support/arbitraries.ts'
import { startTlsBackend } from '../support/backends.ts'
import { NODE, nodeWith, stateWith, viewOf } from '../support/builders.ts'
import { tlsPeerCertificate } from '../support/clients.ts'
import { offer } from '../support/offer.ts'
import { part } from '../support/parts.ts'
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts'
import { startTraefik, type TestTraefik, testTraefikBinary } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const TCP_PORTS = 20
const UDP_PORTS = 10
const ROUTES = { minLength: 100, maxLength: 900, size: 'max' } as const
const FIXED_SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]
const NEW_SEEDS = 4

const binaries = part('traefik')
  ? [await testTraefikBinary(), ...(process.env.FAIRLEAD_TEST_TRAEFIKS ?? '').split(':').filter(path => path !== '')]
  : ['no Traefik']

const router = z.looseObject({
  entryPoints: z.array(z.string()),
  rule: z.string().optional(),
  service: z.string(),
  priority: z.number().optional(),
  middlewares: z.array(z.string()).optional(),
  tls: z.looseObject({}).optional(),
  status: z.string(),
  error: z.array(z.string()).optional(),
})
const other = z.looseObject({ status: z.string().optional(), error: z.array(z.string()).optional() })
const map = <T extends z.ZodType>(value: T) => z.record(z.string(), value).default({})
const rawdataSchema = z.object({
  routers: map(router),
  services: map(other),
  middlewares: map(other),
  tcpRouters: map(router),
  tcpServices: map(other),
  tcpMiddlewares: map(other),
  udpRouters: map(router),
  udpServices: map(other),
})
type Rawdata = z.output<typeof rawdataSchema>

/** Ports, host names and ids enough for hundreds of routes that live side by side, and few enough for conflicts. */
function worldOf(traefik: TestTraefik): World {
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,10}[a-z0-9])?$/)
  const names = fc.sample(label, { seed: 7, numRuns: 400 }).filter(name => !/^\d+$/.test(name))
  return {
    tcp: traefik.tcp,
    udp: traefik.udp,
    ids: fc.oneof(
      { weight: 1, arbitrary: FEW.ids },
      { weight: 6, arbitrary: fc.stringMatching(/^[a-z0-9 @.üß_-]{4,20}$/) },
    ),
    hosts: [...FEW.hosts, ...names.flatMap(name => [`${name}.example.com`, `*.${name}.example.org`])],
    // Health checks really dial: nothing listens there, and nobody else is asked.
    upstreams: ['127.0.0.1', '127.9.9.9', '[::1]'],
  }
}

const observedOf = (traefik: TestTraefik, version: string): ObservedTraefik => ({
  version,
  entryPoints: traefik.entryPoints.map(entryPoint => ({ ...entryPoint, address: `127.0.0.1:${entryPoint.port}` })),
  foreignRouters: [],
  providers: null,
})

function compileSample(
  seed: number,
  traefik: TestTraefik,
  version: string,
): Snapshot & { config: ReturnType<typeof compile>['config'] } {
  const [wire] = fc.sample(lists(worldOf(traefik), ROUTES), { seed, numRuns: 1 })
  const routes = stateWith({ ...wire }).routes.map(route => ({ route, origin: 'cp' }))
  const allow = ['127.0.0.0/8', '::1/128'].map(parseNetwork).filter(network => network !== null)
  const own = {
    tcp: new Map(traefik.entryPoints.map(({ port, name }) => [port, name])),
    udp: new Map<number, string>(),
  }
  const node = nodeWith({
    ports: { tcp: makePortSet(traefik.tcp), udp: makePortSet(traefik.udp) },
    policy: { ...NODE.policy, allow, ownPorts: own },
  })
  const { config } = compile({
    candidates: mergeSources([{ rank: 1, routes }], {}, 0).candidates,
    node,
    view: viewOf(observedOf(traefik, version)),
    certificates: [],
    challengeUrl: seed % 2 === 0 ? 'https://control.example.com' : null,
  })
  return { config, ...makeSnapshot(config) }
}

async function applied(traefik: TestTraefik, provider: ScriptedProvider, { body, hash }: Snapshot): Promise<Rawdata> {
  const refusalsBefore = traefik.log().split('Error while building configuration').length
  provider.serve(body)
  await waitFor(
    async () => {
      if (traefik.log().split('Error while building configuration').length > refusalsBefore)
        throw new Error(traefik.log().slice(-2000))
      return (await fetch(new URL(`/api/tcp/services/${beaconName(hash)}@http`, traefik.api))).ok
    },
    { what: `the beacon ${hash}`, timeoutMs: 20_000 },
  )
  return rawdataSchema.parse(await traefik.get('/api/rawdata'))
}

const ofHttp = <T>(shown: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(shown).flatMap(([name, value]) =>
      name.endsWith('@http') ? [[name.slice(0, -'@http'.length), value]] : [],
    ),
  )

/** What both sides can be compared by; Traefik adds a provider to names and leaves out what is empty. */
const brief = (given: {
  readonly entryPoints: readonly string[]
  readonly rule?: string | undefined
  readonly service: string
  readonly priority?: number | undefined
  readonly middlewares?: readonly string[] | undefined
  readonly tls?: object | undefined
}) => ({
  entryPoints: given.entryPoints,
  rule: given.rule ?? null,
  service: given.service.replace(/@http$/, ''),
  priority: given.priority ?? null,
  middlewares: (given.middlewares ?? []).map(name => name.replace(/@http$/, '')),
  tls: given.tls === undefined ? null : JSON.parse(JSON.stringify(given.tls)),
})

const briefAll = (routers: Readonly<Record<string, Parameters<typeof brief>[0]>>) =>
  Object.fromEntries(Object.entries(routers).map(([name, value]) => [name, brief(value)]))

describe.skipIf(!part('traefik')).each(binaries)('%s', binary => {
  test('takes and enables all that is compiled', async () => {
    const provider = await startScriptedProvider()
    const traefik = await startTraefik({
      binary,
      endpoint: provider.url,
      tcp: TCP_PORTS,
      udp: UDP_PORTS,
      entryPoints: { web: {}, websecure: {} },
    })
    const { Version: version } = z.object({ Version: z.string() }).parse(await traefik.get('/api/version'))
    const seeds = [...FIXED_SEEDS, ...fc.sample(fc.integer(), NEW_SEEDS)]
    let count = 0
    let chunked = 0
    for (const seed of seeds) {
      const what = `seed ${seed} on Traefik ${version}`
      const snapshot = compileSample(seed, traefik, version)
      const shown = await applied(traefik, provider, snapshot)
      const { http, tcp, udp } = snapshot.config
      for (const [ours, theirs] of [
        [http?.routers ?? {}, ofHttp(shown.routers)],
        [tcp?.routers ?? {}, ofHttp(shown.tcpRouters)],
        [udp?.routers ?? {}, ofHttp(shown.udpRouters)],
      ] as const) {
        expect({ what, routers: briefAll(theirs) }).toEqual({ what, routers: briefAll(ours) })
        count += Object.keys(ours).length
      }
      if (snapshot.body.includes('<<: [')) chunked += 1
      const beacon = { [beaconName(snapshot.hash)]: {} }
      for (const [ours, theirs] of [
        [http?.services ?? {}, shown.services],
        [{ ...tcp?.services, ...beacon }, shown.tcpServices],
        [udp?.services ?? {}, shown.udpServices],
        [http?.middlewares ?? {}, shown.middlewares],
        [tcp?.middlewares ?? {}, shown.tcpMiddlewares],
      ] as const)
        expect({ what, names: Object.keys(ofHttp<unknown>(theirs)).toSorted() }).toEqual({
          what,
          names: Object.keys(ours).toSorted(),
        })
      const unwell = Object.values(shown).flatMap(part =>
        Object.entries(ofHttp<z.output<typeof other>>(part)).filter(
          ([, { status, error }]) => status !== 'enabled' || error !== undefined,
        ),
      )
      expect({ what, unwell }).toEqual({ what, unwell: [] })
    }
    // So that it stays worth its time: hundreds of routers in a body, and some bodies in chunks.
    expect(count).toBeGreaterThan(seeds.length * 300)
    expect(chunked).toBeGreaterThan(0)
  })

  // What conflicts.ts and foreign.ts lean on: who answers a name on a port that HTTP and host names share.
  test('an exact name goes to HTTP, a wildcard to TCP', async () => {
    const [provider, backend] = [await startScriptedProvider(), await startTlsBackend({ name: 'tcp.example' })]
    const traefik = await startTraefik({ binary, endpoint: provider.url, entryPoints: { websecure: {} } })
    const { Version: version } = z.object({ Version: z.string() }).parse(await traefik.get('/api/version'))
    const wildcards = capabilitiesOf(version).hostSniWildcard
    const entryPoints = ['websecure']
    const https = (domain: string, priority: number) => ({
      entryPoints,
      rule: hostRule(domain),
      service: 's',
      priority,
      tls: { options: 'default' },
    })
    const sni = (host: string, priority: number) => ({
      entryPoints,
      rule: hostSniRule(host, wildcards),
      service: 's',
      priority,
      tls: { passthrough: true },
    })
    const body = {
      http: {
        routers: {
          same: https('same.example.com', 20_001),
          below: https('http-below.example.com', 20_001),
          wild: https('*.wild.example.com', 10_001),
          above: https('*.above.example.com', 10_001),
        },
        services: { s: { loadBalancer: { servers: [] } } },
      },
      tcp: {
        routers: {
          same: sni('same.example.com', 300),
          wild: sni('*.wild.example.com', 200),
          below: sni('tcp-below.above.example.com', 300),
          above: sni('*.example.com', 200),
        },
        services: { s: { loadBalancer: { servers: [{ address: backend.address }] } } },
      },
    }
    expect(await offer(traefik, provider, body)).toBe('applied')
    const names = ['same', 'http-below', 'other', 'x.wild', 'tcp-below.above', 'x.above'].map(
      name => `${name}.example.com`,
    )
    const answers = await Promise.all(names.map(name => tlsPeerCertificate(traefik.port('websecure'), name)))
    expect(
      answers.map(name => (name === 'tcp.example' ? 'tcp' : name === 'TRAEFIK DEFAULT CERT' ? 'http' : name)),
    ).toEqual([...['http', 'http', 'tcp'], ...['tcp', 'tcp', 'http']])
  })
})
