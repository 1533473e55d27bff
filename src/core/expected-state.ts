/**
 * The wire contract: what a control plane, or a local file, says should be.
 *
 *   unknown -> document (one schema, all or nothing) -> route by route (one schema each) -> { routes, problems }
 *
 * A document that is not a state changes nothing, and a bad route costs only itself. Values come out in one canonical form, so that two
 * spellings of the same thing are equal from here on. What only a node can judge (its ports, its policy) is judged in admit.ts.
 */
import { z } from 'zod'
import { type Certificate, certificateWire, parseCertificate, parseChallengeRoute } from './certificate.ts'
import { absent, idText, list, wholeNumber } from './fields.ts'
import { canonicalJson, keptJson, sha256 } from './hash.ts'
import { type Problem, type Protocol, printable } from './problem.ts'
import { fieldPath, isRecord, issueToRefusal } from './refusal.ts'
import { HTTP, parseRouteOnce, type Route, type RouteMemory, TCP, UDP, type UnknownField, Unknowns } from './route.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export type { Certificate } from './certificate.ts'

export const SCHEMA_MAJOR = 1

const routeList = z.array(z.unknown()).nullish()

const listsShape = { routes: routeList, httpRoutes: routeList, tcpRoutes: routeList, udpRoutes: routeList }

const count = wholeNumber(0, Number.MAX_SAFE_INTEGER)

/** Ids are kept in `removed` for days, so it may be longer than any list of routes. */
const MAX_REMOVED = 1_000_000

const documentWire = z.object({
  schema: z.unknown().optional(),
  controlPlaneId: absent(idText),
  serverId: absent(idText),
  serverName: absent(z.string().max(300)),
  epoch: absent(count),
  revision: absent(count),
  removed: absent(list(z.string().max(300), MAX_REMOVED)),
  acceptedHash: absent(z.string().max(200)),
  probes: z.unknown().optional(),
  traefik: z.object({
    ...listsShape,
    certificates: z.array(z.unknown()).nullish(),
    challengeRoute: z.unknown().optional(),
  }),
})

const fileWire = z.object(listsShape)

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
  /** Routes that somebody wants to have probed now. */
  readonly probes: readonly ProbeRequest[]
}

/** One wish to have a route probed; the answer carries its `requestId`. */
export type ProbeRequest = {
  /** `tcp/pg`, or a bare id. */
  readonly id: string
  readonly requestId: string
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
  /** Of the document before this one. For what comes from JSON alone: its text must say all that the value holds. */
  readonly memory?: RouteMemory
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
      value: isShown(field, value) ? printable(value) : null,
      message,
      remedy,
      origin: options.origin,
    },
  }
}

/** A key, or a secret of another part, may stand where a list should. */
const isShown = (field: string | null, value: unknown): boolean =>
  typeof value === 'string' ? !field?.startsWith('traefik') : value !== undefined && typeof value !== 'object'

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`
}

const tooMany = (options: ParseOptions, what: string, field: string | null, found: number): ParseResult =>
  notAState(
    options,
    `${what} more than the ${options.maxRoutes} of policy.maxRoutes`,
    field,
    found,
    REASONS.TOO_MANY_ROUTES.remedy,
    'TOO_MANY_ROUTES',
  )

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
  if (!present.http && !present.tcp && !present.udp) {
    // Most often a list with another name: what is there instead tells.
    const names = unknowns.list().map(({ field }) => field)
    const instead =
      names.length === 0 ? '' : `; it has ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', ...' : ''}`
    return notAState(options, `none of the lists routes, tcpRoutes, udpRoutes is there${instead}`, null, undefined)
  }
  const raw = {
    http: [...(lists.routes ?? []), ...(lists.httpRoutes ?? [])],
    tcp: lists.tcpRoutes ?? [],
    udp: lists.udpRoutes ?? [],
  }
  const total = raw.http.length + raw.tcp.length + raw.udp.length
  if (total > options.maxRoutes) {
    return tooMany(options, `${total} routes are`, null, total)
  }
  const results = [
    ...raw.http.map(entry => parseRouteOnce(entry, HTTP, options.origin, unknowns, options.memory)),
    ...raw.tcp.map(entry => parseRouteOnce(entry, TCP, options.origin, unknowns, options.memory)),
    ...raw.udp.map(entry => parseRouteOnce(entry, UDP, options.origin, unknowns, options.memory)),
  ]
  options.memory?.turn()
  return {
    lists: present,
    routes: results.flatMap(({ route }) => (route === null ? [] : [route])),
    problems: results.flatMap(({ problems }) => problems),
  }
}

const READ_AHEAD = 250

/**
 * Reads the routes of a control plane's document ahead, some at each step: ten thousand that are all new take a quarter of a second, and
 * between two steps the caller may do something else. Afterwards the good ones are in the memory. A document beyond the limit is left alone.
 */
export function* readAhead(
  raw: unknown,
  { origin, maxRoutes, memory }: ParseOptions & { readonly memory: RouteMemory },
): Generator<void, void> {
  const traefik = isRecord(raw) && isRecord(raw.traefik) ? raw.traefik : {}
  const unknowns = new Unknowns()
  const lists = [
    { raw: traefik.routes, read: (entry: unknown) => parseRouteOnce(entry, HTTP, origin, unknowns, memory) },
    { raw: traefik.httpRoutes, read: (entry: unknown) => parseRouteOnce(entry, HTTP, origin, unknowns, memory) },
    { raw: traefik.tcpRoutes, read: (entry: unknown) => parseRouteOnce(entry, TCP, origin, unknowns, memory) },
    { raw: traefik.udpRoutes, read: (entry: unknown) => parseRouteOnce(entry, UDP, origin, unknowns, memory) },
  ].flatMap(({ raw: list, read }) => {
    const entries: readonly unknown[] = Array.isArray(list) ? list : []
    return [{ entries, read }]
  })
  if (lists.reduce((sum, { entries }) => sum + entries.length, 0) > maxRoutes) return
  let left = READ_AHEAD
  for (const { entries, read } of lists) {
    for (const entry of entries) {
      read(entry)
      left -= 1
      if (left > 0) continue
      left = READ_AHEAD
      yield
    }
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
  probes: [],
}

const probeRequest = z.object({ id: idText, requestId: idText })
const MAX_PROBE_REQUESTS = 1000

/** A wish that cannot be read is passed over: it is no reason to refuse a state. */
const parseProbes = (raw: unknown): ProbeRequest[] =>
  (Array.isArray(raw) ? raw.slice(0, MAX_PROBE_REQUESTS) : []).flatMap(entry => {
    const parsed = probeRequest.safeParse(entry)
    return parsed.success ? [parsed.data] : []
  })

/**
 * Over what a document says. Sorted, since a source may list its routes in any order. Bad entries count too: mending one is a change.
 * One JSON text a line: there is no line feed within.
 */
export const hashContent = ({
  routes,
  certificates,
  challengeUrl,
  problems,
}: Pick<ParsedState, 'routes' | 'certificates' | 'challengeUrl' | 'problems'>): string =>
  sha256(
    [
      ...routes.map(keptJson).sort(),
      'certificates',
      ...certificates.map(canonicalJson).sort(),
      JSON.stringify(challengeUrl),
      ...problems.map(canonicalJson).sort(),
    ].join('\n'),
  )

const finish = (state: Omit<ParsedState, 'contentHash'>): ParseResult => ({
  ok: true,
  state: { ...state, contentHash: hashContent(state) },
})

/**
 * A control plane's document. Total: never throws.
 * `{}`, `{"traefik":{}}`, HTML and error documents are not a state, and never mean "empty".
 */
export function parseExpectedState(raw: unknown, options: ParseOptions): ParseResult {
  if (!isRecord(raw)) return notAState(options, `the document is ${kindOf(raw)}, not an object`, null, raw ?? undefined)
  const schema = raw.schema ?? null
  if (schema !== null && schema !== SCHEMA_MAJOR) {
    return notAState(
      options,
      `schema ${typeof schema === 'string' ? 'as a text' : printable(schema)} is not known here`,
      'schema',
      schema,
      `This agent reads schema ${SCHEMA_MAJOR}; upgrade it. The last good state goes on serving.`,
    )
  }
  const parsed = documentWire.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    if (issue === undefined) return notAState(options, 'the document does not fit', null, undefined)
    const { message, field, value, remedy } = issueToRefusal(issue, raw)
    return notAState(options, message, field, value, `${remedy} The last good state goes on serving.`)
  }
  const { traefik, removed, probes, schema: _schema, ...rest } = parsed.data
  const unknowns = new Unknowns()
  unknowns.count(raw, documentWire.shape, '')
  unknowns.count(raw.traefik, documentWire.shape.traefik.shape, 'traefik.')
  const lists = parseLists(traefik, options, unknowns)
  if ('ok' in lists) return lists
  const entries = traefik.certificates ?? []
  if (entries.length > options.maxRoutes)
    return tooMany(options, `${entries.length} certificates are`, 'traefik.certificates', entries.length)
  for (const entry of entries) unknowns.count(entry, certificateWire.shape, 'traefik.certificates[].')
  const certificates = entries.map((entry, i) => parseCertificate(entry, i, options.origin))
  const challenge = parseChallengeRoute(traefik.challengeRoute, options.origin)
  return finish({
    header: {
      ...rest,
      schema: schema === null ? null : SCHEMA_MAJOR,
      removed: removed ?? [],
      probes: parseProbes(probes),
    },
    lists: lists.lists,
    routes: lists.routes,
    certificates: certificates.filter((entry): entry is Certificate => 'certificateKey' in entry),
    challengeUrl: typeof challenge === 'string' ? challenge : null,
    problems: [
      ...lists.problems,
      ...certificates.filter((entry): entry is Problem => 'code' in entry),
      ...(typeof challenge === 'string' || challenge === null ? [] : [challenge]),
    ],
    unknownFields: unknowns.list(),
  })
}

/** A local file: the three lists at the top level. Total: never throws. */
export function parseRoutesFile(raw: unknown, options: ParseOptions): ParseResult {
  if (!isRecord(raw))
    return notAState(
      options,
      `the file is ${raw === null ? 'empty' : kindOf(raw)}, not an object with lists of routes`,
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
