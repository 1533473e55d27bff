/**
 * A port as somebody wants it: what they said, over what was there, over what is usual. Pure.
 *
 * What is not said stays. When the protocol changes, what cannot apply any more is dropped; said outright it is a fault.
 */
import type { HealthCheck, PortPatch, PresetId, Probe, TlsMode } from '../../api/port.ts'
import type { Protocol } from '../../core/problem.ts'
import { invalid, type Refusal } from './refusal.ts'

export type PortDraft = {
  readonly protocol: Protocol
  readonly port: number
  readonly isPublic: boolean
  /** Its own; that of the service stands behind it. */
  readonly preset: PresetId | null
  readonly domain: string | null
  readonly pathPrefix: string
  readonly redirectToHttps: boolean
  readonly certResolver: string | null
  /** Null: whichever is free. */
  readonly externalPort: number | null
  readonly externalPortEnd: number | null
  /** The shared number; null: one of its own. */
  readonly shared: number | null
  /** As said; what they mean together is judged by the core. */
  readonly tls: TlsMode | null
  readonly tlsPassthrough: boolean | null
  readonly sniHostname: string | null
  readonly allowCidrs: readonly string[]
  readonly maxConnectionsPerClient: number | null
  readonly proxyProtocol: 1 | 2 | null
  readonly healthCheck: HealthCheck | null
  readonly probe: Probe | null
  /** Milliseconds since 1970. */
  readonly expiresAt: number | null
}

/** The port as it is: a draft that has come true. */
export type Settled = Omit<PortDraft, 'tlsPassthrough'>

/** Fields that not every protocol has, and which do. */
const FIELDS_OF = {
  domain: ['http'],
  pathPrefix: ['http'],
  redirectToHttps: ['http'],
  certResolver: ['http', 'tcp'],
  externalPort: ['tcp', 'udp'],
  externalPortEnd: ['tcp', 'udp'],
  shared: ['tcp'],
  tlsPassthrough: ['tcp'],
  tls: ['tcp'],
  sniHostname: ['tcp'],
  allowCidrs: ['tcp'],
  maxConnectionsPerClient: ['tcp'],
  proxyProtocol: ['tcp'],
  healthCheck: ['http', 'tcp'],
} as const satisfies Partial<Record<keyof PortPatch, readonly Protocol[]>>

type PlacedField = keyof typeof FIELDS_OF

const isPlaced = (name: string): name is PlacedField => Object.hasOwn(FIELDS_OF, name)

const protocolsOf = (field: PlacedField): readonly Protocol[] => FIELDS_OF[field]

/** Says no more than what would be so anyway: a form may send it all. */
function saysNothing(field: PlacedField, value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true
  if (Array.isArray(value)) return value.length === 0
  return (
    (field === 'tls' && value === 'none') ||
    (field === 'pathPrefix' && value === '/') ||
    (field === 'redirectToHttps' && value === true)
  )
}

const upper = (protocol: Protocol): string => protocol.toUpperCase()

function misplaced(given: PortPatch, protocol: Protocol): Refusal[] {
  return Object.keys(FIELDS_OF)
    .filter(isPlaced)
    .filter(field => !protocolsOf(field).includes(protocol) && !saysNothing(field, given[field]))
    .map(field => {
      const protocols = protocolsOf(field)
      const message = `${field} belongs to ${protocols.map(upper).join(' and ')}, and the port is ${upper(protocol)}`
      const remedy = `Leave ${field} out, or set the protocol to ${protocols.join(' or ')}.`
      return invalid(field, 'FIELD_INVALID', message, remedy)
    })
}

/** Who has a say on TLS: what is said now; else what holds already, unless the host name on which it hung comes or goes. */
function tlsOf(given: PortPatch, before: Settled | null): Pick<PortDraft, 'tls' | 'tlsPassthrough'> {
  if (given.tls !== undefined && given.tls !== null)
    return { tls: given.tls, tlsPassthrough: given.tlsPassthrough ?? null }
  if (given.tlsPassthrough !== undefined && given.tlsPassthrough !== null) {
    // "Not passed through" leaves alone what ends at the proxy already.
    const ends = !given.tlsPassthrough && given.tls === undefined && before?.tls === 'terminate'
    return { tls: ends ? 'terminate' : null, tlsPassthrough: given.tlsPassthrough }
  }
  if (before === null || given.tls === null || given.tlsPassthrough === null) return { tls: null, tlsPassthrough: null }
  const named = given.sniHostname === undefined ? before.sniHostname : given.sniHostname
  const sameKind = (named === null) === (before.sniHostname === null)
  return { tls: sameKind || before.tls === 'terminate' ? before.tls : null, tlsPassthrough: null }
}

type Place = Pick<PortDraft, 'externalPort' | 'externalPortEnd' | 'shared'>

const NO_PLACE: Place = { externalPort: null, externalPortEnd: null, shared: null }

/** Which number it shall have: null for one of its own means that any will do, and the one that it has is as good as any. */
function placeOf(given: PortPatch, before: Settled | null): Place {
  const wantsOther = given.externalPort != null && given.externalPort !== before?.shared
  const shared = given.shared !== undefined ? given.shared : wantsOther ? null : (before?.shared ?? null)
  if (shared !== null)
    return { shared, externalPort: given.externalPort ?? null, externalPortEnd: given.externalPortEnd ?? null }
  const had = before === null || before.shared !== null ? NO_PLACE : before
  const externalPort = given.externalPort ?? had.externalPort
  const moved = externalPort !== had.externalPort
  const end = given.externalPortEnd !== undefined ? given.externalPortEnd : moved ? null : had.externalPortEnd
  // A block that ends where it begins is a single number.
  return { shared: null, externalPort, externalPortEnd: end === externalPort ? null : end }
}

function placeFaults(given: PortPatch, isPublic: boolean, place: Place, sniHostname: string | null): Refusal[] {
  const refusals: Refusal[] = []
  const refuse = (...refusal: Parameters<typeof invalid>): void => void refusals.push(invalid(...refusal))
  if (!isPublic) {
    for (const field of ['externalPort', 'externalPortEnd', 'shared'] as const)
      if (given[field] != null)
        refuse(
          field,
          'FIELD_INVALID',
          'a port that is not public has no number',
          `Leave ${field} out, or set isPublic.`,
        )
    return refusals
  }
  const { shared, externalPort, externalPortEnd } = place
  if (shared !== null) {
    if (sniHostname === null)
      refuse(
        'sniHostname',
        'HOST_NAME_REQUIRED',
        'on a shared number a host name chooses the port',
        'Give sniHostname, or leave shared out.',
      )
    if (externalPort !== null && externalPort !== shared)
      refuse(
        'externalPort',
        'FIELD_INVALID',
        `externalPort ${externalPort} contradicts shared ${shared}`,
        'Leave one of the two out.',
        externalPort,
      )
    if (externalPortEnd !== null)
      refuse(
        'externalPortEnd',
        'FIELD_INVALID',
        'a shared number is no block',
        'Leave externalPortEnd or shared out.',
        externalPortEnd,
      )
  } else if (externalPortEnd !== null && externalPort === null)
    refuse(
      'externalPort',
      'FIELD_INVALID',
      'the block has no first number',
      'Give externalPort, or leave externalPortEnd out.',
    )
  return refusals
}

const HEALTH_OF: Readonly<Record<'http' | 'tcp', readonly (keyof HealthCheck)[]>> = {
  http: ['path', 'interval', 'timeout'],
  tcp: ['interval', 'timeout', 'send', 'expect'],
}

function healthFaults(check: HealthCheck | null, protocol: Protocol): Refusal[] {
  if (check === null || protocol === 'udp') return []
  const known: readonly string[] = HEALTH_OF[protocol]
  return Object.keys(check)
    .filter(key => !known.includes(key))
    .map(key =>
      invalid(
        `healthCheck.${key}`,
        'FIELD_INVALID',
        `a health check over ${upper(protocol)} has no ${key}`,
        `Leave it out; there are ${known.join(', ')}.`,
      ),
    )
}

export type Drafted = { readonly draft: PortDraft; readonly refusals: readonly Refusal[] }

/**
 * @param before null for a new port, which has to have a port and a protocol
 * @param now milliseconds since 1970
 */
export function draftPort(
  given: PortPatch & { readonly port: number; readonly protocol: Protocol },
  before: Settled | null,
  now: number,
): Drafted {
  const { protocol, port } = given
  // What another protocol had does not count, but for what all have.
  const alike = before?.protocol === protocol ? before : null
  const isPublic = given.isPublic === undefined ? (before?.isPublic ?? true) : (given.isPublic ?? true)
  const has = (field: PlacedField): boolean => protocolsOf(field).includes(protocol)
  /** What is said, null being what is usual; else what was. */
  const pick = <T>(field: PlacedField, value: T | null | undefined, was: T | null | undefined): T | null =>
    !has(field) ? null : value === undefined ? (was ?? null) : value
  const sniHostname = pick('sniHostname', given.sniHostname, alike?.sniHostname)
  const place = has('externalPort') && isPublic ? placeOf(given, alike) : NO_PLACE
  const expiresAt = given.expiresAt === undefined ? (before?.expiresAt ?? null) : given.expiresAt
  const healthCheck = pick('healthCheck', given.healthCheck, alike?.healthCheck)
  const tls = has('tls') ? tlsOf(given, alike) : { tls: null, tlsPassthrough: null }
  // A resolver that was there goes with the TLS that it was for.
  const needsResolver = protocol === 'http' || (tls.tls === 'terminate' && sniHostname !== null)
  const draft: PortDraft = {
    protocol,
    port,
    isPublic,
    preset: given.preset === undefined ? (before?.preset ?? null) : given.preset,
    domain: pick('domain', given.domain, alike?.domain),
    pathPrefix: pick('pathPrefix', given.pathPrefix, alike?.pathPrefix) ?? '/',
    redirectToHttps: pick('redirectToHttps', given.redirectToHttps, alike?.redirectToHttps) ?? true,
    certResolver: pick('certResolver', given.certResolver, needsResolver ? alike?.certResolver : null),
    ...place,
    ...tls,
    sniHostname,
    allowCidrs: [...new Set(pick('allowCidrs', given.allowCidrs, alike?.allowCidrs))].sort(),
    maxConnectionsPerClient: pick(
      'maxConnectionsPerClient',
      given.maxConnectionsPerClient,
      alike?.maxConnectionsPerClient,
    ),
    proxyProtocol: pick('proxyProtocol', given.proxyProtocol, alike?.proxyProtocol),
    healthCheck,
    probe: given.probe === undefined ? (alike?.probe ?? null) : given.probe === false ? null : given.probe,
    expiresAt,
  }
  const refusals = [...misplaced(given, protocol), ...healthFaults(healthCheck, protocol)]
  if (has('externalPort')) refusals.push(...placeFaults(given, isPublic, place, sniHostname))
  if (protocol === 'http' && isPublic && draft.domain === null)
    refusals.push(
      invalid(
        'domain',
        'HOST_NAME_INVALID',
        'a public HTTP port has no domain',
        'Give a domain such as app.example.com, or set isPublic to false.',
      ),
    )
  const isNews = given.expiresAt != null || (isPublic && before?.isPublic !== true)
  if (expiresAt !== null && expiresAt <= now && isNews)
    refusals.push(
      invalid(
        'expiresAt',
        'EXPIRED',
        'its end time is over',
        'Give a later one, or null for none.',
        new Date(expiresAt).toISOString(),
      ),
    )
  return { draft, refusals }
}
