/**
 * How a verdict is known, link by link: expected -> compiled -> served -> applied -> probed. Pure.
 *
 * Of a route that is not live its node tells the chain. For the others it follows from what the node has told: of a live one every link
 * holds; of one that the node does not have yet, the chain ends where it is now; of a silent node nothing is known.
 */
import type { RouteStep } from '../../api/route.ts'
import { STEPS, type StepName } from '../../core/explain.ts'
import type { JudgedVerdict, NodeStanding, RouteStanding } from './verdict.ts'

/** What the last probe for a person found. */
export type ProbeFound = {
  readonly requestId: string
  readonly ok: boolean | null
  readonly at: Date | null
  readonly detail: string
}

export type ChainInput = {
  readonly route: RouteStanding
  readonly node: NodeStanding
  readonly judged: JudgedVerdict
  /** As the node told it; empty when it did not. */
  readonly told: readonly RouteStep[]
  /** The revision that its agent has taken, when that has a number. */
  readonly fetched: number | null
  /** When it was seen to be live; null: nobody remembers. */
  readonly liveSince: Date | null
  readonly probe: ProbeFound | null
}

type Link = Pick<RouteStep, 'ok' | 'at' | 'detail'>

const NOT_TRIED: Link = { ok: null, at: null, detail: 'not tried' }

const stepsOf = (links: Readonly<Partial<Record<StepName, Link>>>, otherwise: Link): RouteStep[] =>
  STEPS.map(step => ({ step, ...(links[step] ?? otherwise) }))

function probedLink(probe: ProbeFound | null): RouteStep {
  if (probe === null) return { step: 'probed', ok: null, at: null, detail: 'not tried: no probe was asked for' }
  const { requestId, ok, at, detail } = probe
  return { step: 'probed', ok, at: at?.toISOString() ?? null, detail, requestId }
}

function liveChain({ route, node, liveSince, probe }: ChainInput): RouteStep[] {
  const at = liveSince?.toISOString() ?? null
  const { name } = node
  return [
    { step: 'expected', ok: true, at: route.changedAt.toISOString(), detail: `revision ${route.revision} asks for it` },
    { step: 'compiled', ok: true, at, detail: `${name} found no problem with it` },
    { step: 'served', ok: true, at, detail: `Traefik on ${name} has fetched it` },
    { step: 'applied', ok: true, at, detail: `Traefik on ${name} shows it as it was compiled` },
    probedLink(probe),
  ]
}

function chainOf(input: ChainInput): RouteStep[] {
  const { route, node, judged, told, fetched } = input
  const saved = route.changedAt.toISOString()
  if (judged.told && told.length > 0) return [...told]
  switch (judged.reason) {
    case 'LIVE':
      return liveChain(input)
    case 'REMOVED':
      return stepsOf(
        { expected: { ok: false, at: saved, detail: `not asked for since revision ${route.revision}` } },
        NOT_TRIED,
      )
    case 'NODE_SILENT':
    case 'NODE_NEVER_REPORTED':
    case 'NODE_AHEAD':
      return stepsOf({}, { ok: null, at: null, detail: `not known: ${judged.message}` })
    case 'NOT_YET_TOLD':
      return stepsOf(
        { expected: { ok: true, at: saved, detail: `revision ${route.revision} asks for it` } },
        {
          ...NOT_TRIED,
          detail: `not known yet: ${judged.message}`,
        },
      )
    default: {
      const hasIt = fetched !== null && fetched >= route.revision
      const expected: Link = hasIt
        ? { ok: true, at: saved, detail: `${node.name} has fetched revision ${fetched}` }
        : {
            ok: false,
            at: saved,
            detail: `${node.name} has not fetched revision ${route.revision} yet; it has ${fetched ?? 'none'}`,
          }
      return stepsOf({ expected }, hasIt ? { ...NOT_TRIED, detail: 'not known yet' } : NOT_TRIED)
    }
  }
}

/** With the answer of the last probe that a person asked for, where the node's own words do not have it. */
export function makeChain(input: ChainInput): RouteStep[] {
  const { probe, judged } = input
  const chain = chainOf(input)
  if (probe === null || judged.reason === 'NODE_SILENT' || chain.some(({ requestId }) => requestId !== undefined))
    return chain
  return chain.map(step => (step.step === 'probed' && step.ok === null ? probedLink(probe) : step))
}
