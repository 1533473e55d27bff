/** How each node is now: a node that was heard of a minute ago falls silent while one looks. */
import { useMemo } from 'react'
import type { Node } from '../../../api/node.ts'
import { useIsLinkUp, useRuntime } from '../../data/runtime-context.tsx'
import { useNow } from '../../ui/now.ts'
import { useVoices } from '../../verdict/use-standing.ts'
import { type NodeState, nodeState } from './node-state.ts'

const PACE_MS = 1_000
/** proxy-2 before proxy-10. */
const BY_NAME = new Intl.Collator('en', { numeric: true })

export type StatedNode = { readonly node: Node; readonly state: NodeState }

export function useNodeStates(nodes: readonly Node[]): readonly StatedNode[] {
  const voices = useVoices()
  const isLinkUp = useIsLinkUp()
  const { link } = useRuntime()
  const now = useNow(PACE_MS) + link.view().clockOffsetMs
  return useMemo(() => {
    const silent = new Map(voices.map(voice => [voice.id, voice.silent]))
    return nodes
      .map(node => ({
        node,
        state: nodeState(node, { now, isLinkUp, silent: silent.get(node.id) ?? node.silent }),
      }))
      .sort((a, b) => BY_NAME.compare(a.node.name, b.node.name))
  }, [nodes, voices, isLinkUp, now])
}
