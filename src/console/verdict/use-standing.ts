/**
 * What may be shown of a verdict: the only way from the cache to the screen. Each hook knows the link and the nodes, so that no page can
 * forget that one of them is silent.
 *
 *   useVerdict(routeId)        of a route by its id, over all nodes, or on one
 *   useRowStanding()           a function for rows of a list: (row) => Standing
 *   useNodeStanding()          a function for one node: ({ verdict, was }, nodeId) => Standing
 *   useWordStanding()          a function for what the control plane counts by itself
 */
import { useMemo } from 'react'
import type { Node } from '../../api/node.ts'
import { useNodes, useRouteRows } from '../data/queries.ts'
import { useIsLinkUp, useRuntime } from '../data/runtime-context.tsx'
import { useNow } from '../ui/now.ts'
import {
  type SaidRow,
  type Standing,
  saidOnNode,
  standingOfRow,
  standingOfWord,
  standingOnNode,
  type Voice,
} from './standing.ts'
import type { RouteVerdict } from './verdict.ts'

/** A node that has said nothing for this long is silent, whatever it said before. */
export const SILENT_AFTER_MS = 90_000
const LOOK_MS = 5_000

export type NodeVoice = Voice & { readonly lastSeenAt: number | null; readonly status: Node['status'] }

/** The nodes that take part, and whether they are silent by now. Retired ones have no say. */
export function useVoices(): readonly NodeVoice[] {
  const { data } = useNodes()
  const { link } = useRuntime()
  const isLinkUp = useIsLinkUp()
  const now = useNow(LOOK_MS)
  const { clockOffsetMs, heardAt } = link.view()
  // What was so when the link was lost is shown as the past: then nobody falls silent any more.
  const serverNow = (isLinkUp ? now : heardAt) + clockOffsetMs
  const voices = useMemo(
    () => (data ?? []).filter(({ status }) => status !== 'retired').map(node => voiceOf(node, serverNow)),
    [data, serverNow],
  )
  // A list that says the same is the same: pages make much of it.
  const said = JSON.stringify(voices.map(({ id, name, silent }) => [id, name, silent]))
  // biome-ignore lint/correctness/useExhaustiveDependencies: `said` is all that counts of it
  return useMemo(() => voices, [said])
}

function voiceOf(node: Node, serverNow: number): NodeVoice {
  const lastSeenAt = node.lastSeenAt === null ? null : Date.parse(node.lastSeenAt)
  const silent = node.silent || lastSeenAt === null || serverNow - lastSeenAt > SILENT_AFTER_MS
  return { id: node.id, name: node.name, status: node.status, silent, lastSeenAt }
}

export function useRowStanding(): (row: SaidRow) => Standing {
  const voices = useVoices()
  const isLinkUp = useIsLinkUp()
  return useMemo(() => row => standingOfRow(row, voices, isLinkUp), [voices, isLinkUp])
}

export type SaidOnNode = { readonly verdict: RouteVerdict; readonly was?: RouteVerdict | null }

export function useNodeStanding(): (said: SaidOnNode, nodeId: string) => Standing {
  const voices = useVoices()
  const isLinkUp = useIsLinkUp()
  return useMemo(() => {
    const byId = new Map(voices.map(voice => [voice.id, voice]))
    return (said, nodeId) => standingOnNode(said, byId.get(nodeId), isLinkUp)
  }, [voices, isLinkUp])
}

export function useWordStanding(): (verdict: RouteVerdict) => Standing {
  const isLinkUp = useIsLinkUp()
  return useMemo(() => verdict => standingOfWord(verdict, isLinkUp), [isLinkUp])
}

/** One shape for each node of a row, in the order of the nodes. */
export function useDots(): (row: SaidRow) => readonly { readonly voice: NodeVoice; readonly standing: Standing }[] {
  const voices = useVoices()
  const isLinkUp = useIsLinkUp()
  return useMemo(
    () => row =>
      voices.map(voice => ({
        voice,
        standing: standingOnNode({ verdict: saidOnNode(row, voice.id) }, voice, isLinkUp),
      })),
    [voices, isLinkUp],
  )
}

/** Of the route with this id, over all nodes that report, or on one; null while it is not known whether there is such a route. */
export function useVerdict(routeId: string, nodeId?: string): Standing | null {
  const { data } = useRouteRows()
  const ofRow = useRowStanding()
  const onNode = useNodeStanding()
  const row = useMemo(() => data?.find(({ id }) => id === routeId), [data, routeId])
  if (row === undefined) return null
  return nodeId === undefined ? ofRow(row) : onNode({ verdict: saidOnNode(row, nodeId) }, nodeId)
}
