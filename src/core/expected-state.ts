/**
 * The wire contract: what a control plane, or a local file, says should be.
 *
 *   unknown -> document (one schema, all or nothing) -> route by route (one schema each) -> { routes, problems }
 *
 * A document that is not a state changes nothing, and a bad route costs only itself. Values come out in one canonical form, so that two
 * spellings of the same thing are equal from here on. What only a node can judge (its ports, its policy) is judged in admit.ts.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { absent, hostName } from './fields.ts'
import { canonicalJson, contentHash } from './hash.ts'
import { type Problem, type Protocol, printable } from './problem.ts'
import { fieldPath, isRecord, issueToRefusal } from './refusal.ts'
import { HTTP, parseRoute, type Route, TCP, UDP, type UnknownField, Unknowns } from './route.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export const SCHEMA_MAJOR = 1

const routeList = z.array(z.unknown()).nullish()

const listsShape = { routes: routeList, httpRoutes: routeList, tcpRoutes: routeList, udpRoutes: routeList }

const certificateWire = z.object({
  domain: hostName,
  certificate: z.string().max(262_144),
  certificateKey: z.string().max(65_536),
})

const count = z.int().min(0)

const documentWire = z.object({
  schema: z.unknown().optional(),
  controlPlaneId: absent(z.string().min(1).max(200)),
  serverId: absent(z.string().min(1).max(200)),
  serverName: absent(z.string().max(300)),
  epoch: absent(count),
  revision: absent(count),
  removed: absent(z.array(z.string().max(300))),
  acceptedHash: absent(z.string().max(200)),
  traefik: z.object({ ...listsShape, certificates: z.array(z.unknown()).nullish(), challengeRoute: z.unknown().optional() }),
})

const fileWire = z.object(listsShape)

export type Certificate = { readonly domain: string; readonly certificate: string; readonly certificateKey: string }

export type StateHeader = {
  /** Whether the document names a schema: only then does its sender take our status reports. */
  readonly schema: number | null
  readonly controlPlaneId: string | null
  readonly serverId: string | null
  readonly serverName: string | null
  readonly epoch: number | null
  readonly revision: number | null
  /** Keys (`tcp/pg`) or bare ids that were removed on purpose. */
  readonly removed: readonly string[]
  readonly acceptedHash: string | null
}

export type ParsedState = {
  readonly header: StateHeader
  /** Which lists were there as arrays. An absent one says nothing; it does not say "empty". */
  readonly lists: Readonly<Record<Protocol, boolean>>
  readonly routes: readonly Route[]
  readonly certificates: readonly Certificate[]
  /** Where ACME challenges of another control plane are answered, or null. */
  readonly challengeUrl: string | null
  readonly problems: readonly Problem[]
  readonly unknownFields: readonly UnknownField[]
  /** Over the parsed routes, certificates and challenge route: equal for two spellings of the same state. */
  readonly contentHash: string
}

export type ParseResult =
  | { readonly ok: true; readonly state: ParsedState }
  | { readonly ok: false; readonly problem: Problem }

export type ParseOptions = {
  /** A file's name or a control plane's id, for the problems. */
  readonly origin: string
  readonly maxRoutes: number
}

function parseCertificate(raw: unknown, origin: string): Certificate | Problem {
  const domain = isRecord(raw) && typeof raw.domain === 'string' ? printable(raw.domain) : null
  const fault = (message: string, remedy: string): Problem => ({
    code: 'FIELD_INVALID',
    protocol: null,
    routeId: null,
    field: 'traefik.certificates',
    value: domain,
    message,
    remedy,
    origin,
  })
  const parsed = certificateWire.safeParse(raw)
  if (!parsed.success)
    return fault(
      'a certificate entry lacks domain, certificate or certificateKey',
      'Give all three; the last two as PEM.',
    )
  const { certificate, certificateKey } = parsed.data
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(certificateKey)))
      return fault('the key does not belong to the certificate', 'Issue the certificate again.')
  } catch {
    // The cause may quote key material, so it is not passed on.
    return fault('the certificate or its key is not PEM', 'Issue the certificate again.')
  }
  return { ...parsed.data, certificate: normalisePem(certificate), certificateKey: normalisePem(certificateKey) }
}

const normalisePem = (pem: string): string => `${pem.replaceAll('\r\n', '\n').trim()}\n`

function parseChallengeUrl(raw: unknown): string | null {
  if (!isRecord(raw) || typeof raw.controlPlaneUrl !== 'string' || !URL.canParse(raw.controlPlaneUrl)) return null
  const url = new URL(raw.controlPlaneUrl)
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' ? url.origin : null
}

function notAState(
  options: ParseOptions,
  message: string,
  field: string | null,
  value: unknown,
  remedy: string = REASONS.DOCUMENT_INVALID.remedy,
  code: ReasonCode = 'DOCUMENT_INVALID',
): ParseResult {
  return {
    ok: false,
    problem: {
      code,
      protocol: null,
      routeId: null,
      field,
      value: value === undefined ? null : printable(value),
      message,
      remedy,
      origin: options.origin,
    },
  }
}

type Lists = { readonly [list in keyof typeof listsShape]?: readonly unknown[] | null | undefined }

function parseLists(
  lists: Lists,
  options: ParseOptions,
  unknowns: Unknowns,
): Pick<ParsedState, 'lists' | 'routes' | 'problems'> | ParseResult {
  const present = {
    http: Array.isArray(lists.routes) || Array.isArray(lists.httpRoutes),
    tcp: Array.isArray(lists.tcpRoutes),
    udp: Array.isArray(lists.udpRoutes),
  }
  if (!present.http && !present.tcp && !present.udp)
    return notAState(options, 'none of the lists routes, tcpRoutes, udpRoutes is there', null, undefined)
  const raw = {
    http: [...(lists.routes ?? []), ...(lists.httpRoutes ?? [])],
    tcp: lists.tcpRoutes ?? [],
    udp: lists.udpRoutes ?? [],
  }
  const total = raw.http.length + raw.tcp.length + raw.udp.length
  if (total > options.maxRoutes) {
    return notAState(
      options,
      `${total} routes are more than the ${options.maxRoutes} of policy.maxRoutes`,
      null,
      total,
      REASONS.TOO_MANY_ROUTES.remedy,
      'TOO_MANY_ROUTES',
    )
  }
  const results = [
    ...raw.http.map(entry => parseRoute(entry, HTTP, options.origin, unknowns)),
    ...raw.tcp.map(entry => parseRoute(entry, TCP, options.origin, unknowns)),
    ...raw.udp.map(entry => parseRoute(entry, UDP, options.origin, unknowns)),
  ]
  return {
    lists: present,
    routes: results.flatMap(({ route }) => (route === null ? [] : [route])),
    problems: results.flatMap(({ problems }) => problems),
  }
}

const NO_HEADER: StateHeader = {
  schema: null,
  controlPlaneId: null,
  serverId: null,
  serverName: null,
  epoch: null,
  revision: null,
  removed: [],
  acceptedHash: null,
}

const sortedJson = (values: readonly unknown[]): string[] => values.map(canonicalJson).sort()

const finish = (state: Omit<ParsedState, 'contentHash'>): ParseResult => ({
  ok: true,
  // Sorted, since a source may list its routes in any order. Bad entries count too: mending one is a change.
  state: {
    ...state,
    contentHash: contentHash([
      sortedJson(state.routes),
      sortedJson(state.certificates),
      state.challengeUrl,
      sortedJson(state.problems),
    ]),
  },
})

/**
 * A control plane's document. Total: never throws.
 * `{}`, `{"traefik":{}}`, HTML and error documents are not a state, and never mean "empty".
 */
export function parseExpectedState(raw: unknown, options: ParseOptions): ParseResult {
  if (!isRecord(raw))
    return notAState(
      options,
      `the document is ${Array.isArray(raw) ? 'a list' : raw === null ? 'null' : `a ${typeof raw}`}, not an object`,
      null,
      raw,
    )
  if (raw.schema !== undefined && raw.schema !== SCHEMA_MAJOR) {
    return notAState(
      options,
      `schema ${printable(raw.schema)} is not known here`,
      'schema',
      raw.schema,
      `This agent reads schema ${SCHEMA_MAJOR}; upgrade it. The last good state goes on serving.`,
    )
  }
  const parsed = documentWire.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    if (issue === undefined) return notAState(options, 'the document does not fit', null, undefined)
    const refusal = issueToRefusal(issue, raw)
    return notAState(options, refusal.message, refusal.field, refusal.value)
  }
  const { traefik, removed, schema: _schema, ...rest } = parsed.data
  const unknowns = new Unknowns()
  unknowns.count(raw, documentWire.shape, '')
  unknowns.count(raw.traefik, documentWire.shape.traefik.shape, 'traefik.')
  const lists = parseLists(traefik, options, unknowns)
  if ('ok' in lists) return lists
  const certificates = (traefik.certificates ?? []).map(entry => parseCertificate(entry, options.origin))
  return finish({
    header: { ...rest, schema: raw.schema === undefined ? null : SCHEMA_MAJOR, removed: removed ?? [] },
    lists: lists.lists,
    routes: lists.routes,
    certificates: certificates.filter((entry): entry is Certificate => 'certificateKey' in entry),
    challengeUrl: parseChallengeUrl(traefik.challengeRoute),
    problems: [...lists.problems, ...certificates.filter((entry): entry is Problem => 'code' in entry)],
    unknownFields: unknowns.list(),
  })
}

/** A local file: the three lists at the top level. Total: never throws. */
export function parseRoutesFile(raw: unknown, options: ParseOptions): ParseResult {
  if (!isRecord(raw))
    return notAState(
      options,
      `the file is ${Array.isArray(raw) ? 'a list' : raw === null ? 'empty' : `a ${typeof raw}`}, not an object with lists of routes`,
      null,
      raw ?? undefined,
    )
  const parsed = fileWire.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const field = issue === undefined ? null : fieldPath(issue.path)
    return notAState(options, `${field ?? 'a list'} is not a list`, field, field === null ? undefined : raw[field])
  }
  const unknowns = new Unknowns()
  unknowns.count(raw, fileWire.shape, '')
  const lists = parseLists(parsed.data, options, unknowns)
  if ('ok' in lists) return lists
  return finish({ header: NO_HEADER, certificates: [], challengeUrl: null, ...lists, unknownFields: unknowns.list() })
}
