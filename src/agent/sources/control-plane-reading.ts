/** A document of a control plane into a reading, or the fault that keeps it out. Pure: what was there before is handed in. */
import { type ParsedState, parseExpectedState, type StateHeader } from '../../core/expected-state.ts'
import { contentHash } from '../../core/hash.ts'
import { type Problem, printable } from '../../core/problem.ts'
import { isRecord } from '../../core/refusal.ts'
import { judgeOrder, type RevisionMark } from '../../core/revision-order.ts'
import type { RouteMemory } from '../../core/route.ts'
import { makeFault } from './control-plane-faults.ts'
import type { SourceReading } from './source.ts'

/** Who we are and whom we listen to; null where nothing is known yet. */
export type Peers = { readonly serverId: string | null; readonly controlPlaneId: string | null }

export type DocumentContext = {
  readonly peers: Peers
  readonly mark: RevisionMark | null
  readonly maxRoutes: number
  /** Of the routes of the document before. */
  readonly memory?: RouteMemory
  /** Of the configured addresses, with their ports. */
  readonly hosts: readonly string[]
}

export type TakenDocument = {
  readonly reading: SourceReading
  readonly mark: RevisionMark | null
  /** It has the revision that was taken last. */
  readonly sameRevision: boolean
  readonly peers: Peers
}

function checkPeers(header: StateHeader, { serverId, controlPlaneId }: Peers): void {
  if (serverId !== null && header.serverId !== null && header.serverId !== serverId)
    throw makeFault(
      'SOURCE_WRONG_NODE',
      `the document is for node ${printable(header.serverId)}, and this is ${serverId}`,
    )
  if (controlPlaneId !== null && header.controlPlaneId !== null && header.controlPlaneId !== controlPlaneId)
    throw makeFault(
      'SOURCE_WRONG_CONTROL_PLANE',
      `the document is from control plane ${printable(header.controlPlaneId)}, and this node belongs to ${controlPlaneId}`,
    )
}

/** A challenge is only sent on to the control plane itself: any other host would be a way into the network of this node. */
function checkChallenge(
  url: string | null,
  hosts: readonly string[],
  origin: string,
): { readonly url: string | null; readonly problems: readonly Problem[] } {
  if (url === null || hosts.includes(new URL(url).host)) return { url, problems: [] }
  return {
    url: null,
    problems: [
      {
        code: 'FIELD_INVALID',
        protocol: null,
        routeId: null,
        field: 'traefik.challengeRoute',
        value: printable(new URL(url).host),
        message: `the challenge route leads to ${printable(new URL(url).host)}, which is not an address of this control plane`,
        remedy: `Name one of the configured addresses: ${hosts.join(', ')}.`,
        origin,
      },
    ],
  }
}

function makeReading(state: ParsedState, origin: string, hosts: readonly string[]): SourceReading {
  const challenge = checkChallenge(state.challengeUrl, hosts, origin)
  const { header } = state
  return {
    routes: state.routes.map(route => ({ route, origin })),
    problems: [...state.problems, ...challenge.problems],
    unknownFields: state.unknownFields,
    certificates: state.certificates,
    challengeUrl: challenge.url,
    removed: header.removed,
    acceptedHash: header.acceptedHash,
    ...(header.probes.length === 0 ? {} : { probes: header.probes }),
    revision: header.revision ?? state.contentHash,
    epoch: header.epoch,
    contentHash: state.contentHash,
    lists: state.lists,
    documents: 1,
    reportable: header.schema !== null,
  }
}

/** Throws a SourceError for a document that must not be taken; nothing of what was there before is touched. */
export function takeDocument(document: unknown, context: DocumentContext): TakenDocument {
  const { peers, mark, maxRoutes, hosts, memory } = context
  const named =
    isRecord(document) && typeof document.controlPlaneId === 'string' ? printable(document.controlPlaneId) : null
  // The same for each of the addresses, since the problems that carry it count as content.
  const origin = peers.controlPlaneId ?? named ?? hosts[0] ?? 'control plane'
  const parsed = parseExpectedState(document, { origin, maxRoutes, ...(memory === undefined ? {} : { memory }) })
  if (!parsed.ok) throw makeFault('SOURCE_NOT_A_STATE', parsed.problem.message, { remedy: parsed.problem.remedy })
  const { header } = parsed.state
  checkPeers(header, peers)
  const order = judgeOrder(mark, header)
  if (order.verdict === 'went-back') throw makeFault('REVISION_WENT_BACK', order.message, { remedy: order.remedy })
  return {
    reading: makeReading(parsed.state, origin, hosts),
    mark: order.mark,
    sameRevision: order.verdict === 'same',
    peers: {
      serverId: peers.serverId ?? header.serverId,
      controlPlaneId: peers.controlPlaneId ?? header.controlPlaneId,
    },
  }
}

/** Equal for two readings that mean the same to everybody who uses them. */
export const readingKey = (reading: SourceReading): string =>
  contentHash([
    reading.contentHash,
    reading.challengeUrl,
    reading.revision,
    reading.epoch,
    [...reading.removed].sort(),
    reading.acceptedHash,
    reading.probes ?? [],
    reading.lists,
    reading.reportable,
    reading.unknownFields,
  ])
