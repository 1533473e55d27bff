/** Small values for tests of the core: each shows only what matters to its test. */
import type { NodeSettings } from '../../src/core/admit.ts'
import { type Compiled, compile } from '../../src/core/compile.ts'
import type { Candidate } from '../../src/core/conflicts.ts'
import { type ParsedState, parseExpectedState } from '../../src/core/expected-state.ts'
import { mergeSources } from '../../src/core/merge.ts'
import type { ObservedEntryPoint, ObservedTraefik } from '../../src/core/observed.ts'
import type { TraefikView } from '../../src/core/placement.ts'
import { type PortSet, parsePortSet } from '../../src/core/port-set.ts'

export function portSet(text: string): PortSet {
  const parsed = parsePortSet(text)
  if (!parsed.ok) throw new Error(parsed.faults.join('; '))
  return parsed.ports
}

export const NODE: NodeSettings = {
  ports: { tcp: portSet('10000-10009'), udp: portSet('11000-11009') },
  http: { entryPoints: ['websecure'], redirectFrom: 'web', redirectPort: null, certResolver: null },
  policy: {
    allow: [],
    deny: [],
    only: [],
    hostNames: false,
    ownAddresses: ['192.0.2.10'],
    ownPorts: { tcp: new Map([80, 443, 7480, 7481, 8080].map(port => [port, 'of this node'])), udp: new Map() },
  },
  certificates: false,
  defaultCertificate: null,
}

export const nodeWith = (change: Partial<NodeSettings>): NodeSettings => ({ ...NODE, ...change })

type Wire = Record<string, unknown>

export const httpRoute = (fields: Wire = {}): Wire => ({
  id: 'web',
  serviceId: 'svc-web',
  domain: 'app.example.com',
  upstreams: [{ url: 'http://10.200.1.5:3000' }],
  ...fields,
})

export const tcpRoute = (fields: Wire = {}): Wire => ({
  id: 'pg',
  upstreams: ['10.200.1.5:5432'],
  externalPort: 10001,
  ...fields,
})

export const udpRoute = (fields: Wire = {}): Wire => ({
  id: 'dns',
  upstreams: ['10.200.1.9:53'],
  externalPort: 11000,
  ...fields,
})

export type Lists = {
  readonly routes?: readonly unknown[]
  readonly tcpRoutes?: readonly unknown[]
  readonly udpRoutes?: readonly unknown[]
}

export const documentWith = (lists: Lists & Wire, header: Wire = {}): Wire => ({
  ...header,
  traefik: { routes: [], tcpRoutes: [], udpRoutes: [], ...lists },
})

export function stateWith(lists: Lists & Wire, header: Wire = {}): ParsedState {
  const parsed = parseExpectedState(documentWith(lists, header), { origin: 'test', maxRoutes: 100_000 })
  if (!parsed.ok) throw new Error(parsed.problem.message)
  return parsed.state
}

export function candidatesOf(state: ParsedState, rank = 1, origin = 'cp'): readonly Candidate[] {
  return mergeSources([{ rank, routes: state.routes.map(route => ({ route, origin })) }], {}, 1_000_000).candidates
}

/** Entry points as `fairlead static-config` generates them for the pools of NODE. */
export const ENTRY_POINTS: readonly ObservedEntryPoint[] = [
  { name: 'web', address: ':80', port: 80, protocol: 'tcp' },
  { name: 'websecure', address: ':443', port: 443, protocol: 'tcp' },
  { name: 'traefik', address: '127.0.0.1:8080', port: 8080, protocol: 'tcp' },
  ...NODE.ports.tcp.list().map(port => ({ name: `tcp-${port}`, address: `:${port}`, port, protocol: 'tcp' as const })),
  ...NODE.ports.udp
    .list()
    .map(port => ({ name: `udp-${port}`, address: `:${port}/udp`, port, protocol: 'udp' as const })),
]

export const traefikWith = (change: Partial<ObservedTraefik> = {}): ObservedTraefik => ({
  version: '3.7.15',
  entryPoints: ENTRY_POINTS,
  foreignRouters: [],
  providers: null,
  ...change,
})

export const viewOf = (
  observed: ObservedTraefik | null,
  tombstones: TraefikView['tombstones'] = 'everywhere',
): TraefikView => ({ observed, tombstones })

export function compileLists(
  lists: Lists & Wire,
  options: { readonly node?: NodeSettings; readonly view?: TraefikView } = {},
): Compiled {
  const state = stateWith(lists)
  return compile({
    candidates: candidatesOf(state),
    node: options.node ?? NODE,
    view: options.view ?? viewOf(traefikWith()),
    certificates: state.certificates,
    challengeUrl: state.challengeUrl,
  })
}

/** `tcp/pg: PORT_TAKEN_BY_ROUTE` for each route that is not served. */
export const lostOf = (compiled: Compiled): string[] =>
  compiled.outcomes.flatMap(({ key, problem }) => (problem === null ? [] : [`${key}: ${problem.code}`]))

/** Routers of a section without tombstones, by name. */
export const routersOf = (compiled: Compiled, protocol: 'http' | 'tcp' | 'udp'): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(compiled.config[protocol]?.routers ?? {}).filter(([name]) => !name.startsWith('tombstone_')),
  )
