/**
 * Whether agents would take a port as a route: it is made into one and read by the code that they read it with. Pure.
 *
 * Beyond that it is held against what only the control plane knows: what the service speaks, and the policy in the settings.
 */
import type { Probe, TlsMode } from '../../api/port.ts'
import { admit, type NodeSettings } from '../../core/admit.ts'
import { makePortSet } from '../../core/port-set.ts'
import { chooseProbe, probeField } from '../../core/probe/spec.ts'
import type { Problem } from '../../core/problem.ts'
import { HTTP, parseRoute, type Route, TCP, UDP, Unknowns } from '../../core/route.ts'
import { formatAddress, parseAddress, type UpstreamPolicy, upstreamFault } from '../../core/upstream.ts'
import type { ControlPolicyConfig } from '../config.ts'
import type { PortDraft } from './draft.ts'
import { presetFacts, toPresetId } from './preset.ts'
import { invalid, type Refusal } from './refusal.ts'
import { type RouteSource, toHttpRoute, toTcpRoute, toUdpRoute, type WireEndpoint } from './wire.ts'

export type Surroundings = {
  /** In the order in which they were given: faults name them by their place. */
  readonly endpoints: readonly WireEndpoint[]
  /** That of the service. */
  readonly preset: string | null
  readonly policy: ControlPolicyConfig
}

export type Checked = {
  readonly refusals: readonly Refusal[]
  /** How something unusual is read, in sentences. */
  readonly notes: readonly string[]
  /** What the wishes about TLS come to; null where it is not TCP. */
  readonly tls: TlsMode | null
  /** With what agents could not know by themselves. */
  readonly probe: Probe | null
}

const UPSTREAM_REMEDY =
  'Give an address that the nodes can reach; an operator may allow it by policy.allowUpstreams, here and on the nodes.'

const upstreamPolicy = (policy: ControlPolicyConfig): UpstreamPolicy => ({
  allow: policy.allowUpstreams,
  deny: policy.denyUpstreams,
  only: policy.onlyUpstreams,
  hostNames: policy.hostNames,
  ownAddresses: [],
  ownPorts: { tcp: new Map(), udp: new Map() },
})

const NAME_REMEDY = 'Give its address; an operator may allow names by policy.hostNames, here and on the nodes.'

const remedyFor = ({ family }: { readonly family: 4 | 6 | 'name' }, { hostNames }: ControlPolicyConfig): string =>
  family === 'name' && !hostNames ? NAME_REMEDY : UPSTREAM_REMEDY

const EVERY_PORT = makePortSet(Array.from({ length: 65_535 }, (_, i) => i + 1))

/** A node that has every port: what is left of its judgement is the policy. */
const nodeWith = (policy: ControlPolicyConfig): NodeSettings => ({
  ports: { tcp: EVERY_PORT, udp: EVERY_PORT },
  http: { entryPoints: [], redirectFrom: null, redirectPort: null, certResolver: null },
  policy: upstreamPolicy(policy),
  certificates: false,
  defaultCertificate: null,
})

/**
 * What no port could make good: an address that is refused on every port. Rules for single ports are left to `checkPort`.
 * @param prefix of the fields, such as `endpoints`
 */
export function checkEndpoints(
  endpoints: readonly WireEndpoint[],
  policy: ControlPolicyConfig,
  prefix: string,
): Refusal[] {
  const open: ControlPolicyConfig = {
    ...policy,
    allowUpstreams: policy.allowUpstreams.map(network => ({ ...network, port: null })),
    denyUpstreams: policy.denyUpstreams.filter(({ port }) => port === null),
    onlyUpstreams: policy.onlyUpstreams.map(network => ({ ...network, port: null })),
  }
  return endpoints.flatMap(({ address }, i) => {
    const parsed = parseAddress(address.includes(':') ? `[${address}]:1` : `${address}:1`)
    const fault = parsed.ok ? upstreamFault(parsed.address, 'tcp', upstreamPolicy(open)) : parsed
    if (fault === null) return []
    const message = parsed.ok ? fault.message.replace(formatAddress(parsed.address), address) : fault.message
    const remedy = parsed.ok ? remedyFor(parsed.address, policy) : fault.remedy
    return [
      invalid(
        `${prefix}[${i}].address`,
        parsed.ok ? 'UPSTREAM_NOT_ALLOWED' : 'UPSTREAM_INVALID',
        message,
        remedy,
        address,
      ),
    ]
  })
}

/** What a draft says, as a route that asks for nothing yet where it is free to choose. */
function sourceOf(draft: PortDraft, preset: string | null): RouteSource {
  const { externalPort, externalPortEnd, shared } = draft
  return {
    ...draft,
    id: 'port',
    serviceId: 'service',
    preset: draft.preset ?? preset,
    externalPort: shared ?? externalPort,
    // A shared number is no block, which is told elsewhere.
    externalPortEnd: shared === null ? externalPortEnd : null,
    tls: null,
    claimedAt: 0,
  }
}

function parse(draft: PortDraft, { endpoints, preset }: Surroundings) {
  const source = sourceOf(draft, preset)
  const external = source.externalPort ?? 1
  const unknowns = new Unknowns()
  switch (draft.protocol) {
    case 'http':
      // A port that is not public may lack a domain, and the rest of it is judged all the same.
      return parseRoute(toHttpRoute(source, draft.domain ?? 'none.invalid', endpoints), HTTP, '', unknowns)
    case 'tcp': {
      const { tls, tlsPassthrough } = draft
      const wishes = { ...(tls === null ? {} : { tls }), ...(tlsPassthrough === null ? {} : { tlsPassthrough }) }
      return parseRoute({ ...toTcpRoute(source, external, endpoints), ...wishes }, TCP, '', unknowns)
    }
    case 'udp':
      return parseRoute(toUdpRoute(source, external, endpoints), UDP, '', unknowns)
    default:
      return draft.protocol satisfies never
  }
}

/** The place of an endpoint in the list as it was given; routes have them sorted. */
function endpointField(field: string, endpoints: readonly WireEndpoint[]): string | null {
  const index = /^upstreams\[(\d+)\]/.exec(field)?.[1]
  if (index === undefined) return null
  const address = endpoints.map(one => one.address).sort()[Number(index)]
  return `endpoints[${endpoints.findIndex(one => one.address === address)}].address`
}

function toRefusal({ code, field, value, message, remedy }: Problem, { endpoints, policy }: Surroundings): Refusal {
  const endpoint = endpointField(field ?? '', endpoints)
  if (endpoint === null) return invalid(field ?? '', code, message, remedy, value ?? undefined)
  // An address alone is right by now: it is the block that leads beyond the last port.
  if (code === 'UPSTREAM_INVALID') return invalid('externalPortEnd', 'FIELD_INVALID', message, remedy)
  const host = /:\/\/(.*)$/.exec(value ?? '')?.[1] ?? value ?? ''
  const parsed = parseAddress(host)
  return invalid(
    endpoint,
    code,
    message,
    parsed.ok ? remedyFor(parsed.address, policy) : UPSTREAM_REMEDY,
    value ?? undefined,
  )
}

/**
 * Where the server speaks first, or there is no TLS at all, no host name and no TLS of the proxy's can work.
 * @param tls what the wishes come to
 */
function presetFaults(draft: PortDraft, preset: string | null, tls: TlsMode | null): Refusal[] {
  const facts = presetFacts(toPresetId(draft.preset ?? preset))
  if (draft.protocol !== 'tcp' || facts.protocol !== 'tcp' || facts.sniReason === null) return []
  const code = facts.speaksFirst === 'server' ? 'SERVER_FIRST_ON_TLS_PORT' : 'FIELD_INVALID'
  if (draft.sniHostname !== null)
    return [
      invalid(
        'sniHostname',
        code,
        facts.sniReason,
        'Leave sniHostname and shared out: it gets a number of its own.',
        draft.sniHostname,
      ),
    ]
  if (tls === null || tls === 'none') return []
  const field = draft.tls === null ? 'tlsPassthrough' : 'tls'
  return [
    invalid(
      field,
      code,
      facts.sniReason,
      `Leave ${field} out: TLS between client and server needs nothing of the proxy.`,
    ),
  ]
}

const LAST_PORT = 65_535

function blockFaults({ port, externalPort, externalPortEnd, shared }: PortDraft): Refusal[] {
  if (externalPort === null || externalPortEnd === null || shared !== null) return []
  const last = port + externalPortEnd - externalPort
  if (last <= LAST_PORT) return []
  const message = `the last port of the block would be ${last} at the service`
  return [
    invalid('externalPortEnd', 'FIELD_INVALID', message, 'Begin lower, or make the block shorter.', externalPortEnd),
  ]
}

/** A UDP probe says what it sends: the core knows it for port 53 alone, and only while there are endpoints. */
function spelledOut({ protocol, port, probe }: PortDraft): Probe | null {
  if (protocol !== 'udp' || probe === null) return probe
  const wish = probeField.safeParse(probe)
  const chosen = wish.success ? chooseProbe({ protocol, upstreams: [{ address: { port } }] }, wish.data).probe : null
  if (chosen === null) return probe
  const { sendHex, expectHex, intervalSeconds } = chosen
  return {
    type: 'udp',
    ...(sendHex === null ? {} : { sendHex }),
    ...(expectHex === null ? {} : { expectHex }),
    ...(typeof probe === 'object' && probe.intervalSeconds !== undefined ? { intervalSeconds } : {}),
  }
}

/** Faults of the same field that say the same are told once. */
function once(refusals: readonly Refusal[]): Refusal[] {
  return [...new Map(refusals.map(one => [`${one.fault.field} ${one.fault.code}`, one])).values()]
}

/** All that is wrong with the port itself; whether its place is free is another question. */
export function checkPort(wanted: PortDraft, around: Surroundings): Checked {
  const draft = { ...wanted, probe: spelledOut(wanted) }
  const block = blockFaults(draft)
  const { route, problems } = parse(draft, around)
  const parsed: Route | null = route
  const tls = parsed?.protocol === 'tcp' ? parsed.tls : null
  const policy = parsed === null ? [] : admit(parsed, '', nodeWith(around.policy), new Set())
  const refusals = [...block, ...[...problems, ...policy].map(problem => toRefusal(problem, around))]
  return {
    refusals: once([...refusals, ...presetFaults(draft, around.preset, tls)]),
    notes: parsed?.notes ?? [],
    tls,
    probe: draft.probe,
  }
}
