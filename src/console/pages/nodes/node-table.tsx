/** The nodes, one row each. What a silent node said last is not shown as if it held. */
import type { ReactElement, ReactNode } from 'react'
import { Link } from 'wouter'
import type { Node } from '../../../api/node.ts'
import { href } from '../../places.ts'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import { counted, grouped } from '../../words/count.ts'
import { driftWords, liveWords, type NodeState } from './node-state.ts'
import type { StatedNode } from './use-node-states.ts'

export function NodeTable({ nodes }: { readonly nodes: readonly StatedNode[] }): ReactElement {
  return (
    <div className="tw">
      <table className="stackable">
        <caption className="vh">{counted(nodes.length, 'node')}</caption>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">State</th>
            <th scope="col" className="hide-sm">
              Revision
            </th>
            <th scope="col" className="r hide-sm">
              Last poll
            </th>
            <th scope="col" className="r hide-sm">
              Routes live
            </th>
            <th scope="col" className="r hide-sm">
              Connections
            </th>
            <th scope="col" className="hide-sm">
              Traefik
            </th>
            <th scope="col" className="hide-sm">
              Drift
            </th>
          </tr>
        </thead>
        <tbody>
          {nodes.map(one => (
            <Row key={one.node.id} {...one} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ node, state }: StatedNode): ReactElement {
  const { isKnown } = state
  return (
    <tr>
      <td className="r1">
        <Link className="name" href={href.node(node.id)}>
          <Text most={36}>{node.name}</Text>
        </Link>
        <div className="t3 xs">
          {node.agentVersion === null ? 'agent not known' : <Text most={24}>{`agent ${node.agentVersion}`}</Text>}
        </div>
      </td>
      <td>
        <NodeMark state={state} />
      </td>
      <td className="mono hide-sm">{revisionWords(node, isKnown)}</td>
      <td className="r hide-sm t2">{isKnown ? <LastPoll node={node} /> : 'not known'}</td>
      <td className="r hide-sm">{liveWords(node, isKnown)}</td>
      <td className="r hide-sm">{isKnown ? grouped(node.openConnections) : 'not known'}</td>
      <td className="mono hide-sm">
        <Text most={16}>{node.traefik?.version ?? 'not known'}</Text>
      </td>
      <td className="hide-sm t2">{driftWords(node.drift, isKnown)}</td>
    </tr>
  )
}

export function NodeMark({
  state,
  pill = false,
}: {
  readonly state: NodeState
  readonly pill?: boolean
}): ReactElement {
  return (
    <span className={`v ${toneOf(state.shown)}${pill ? ' pill' : ''}`}>
      <Shape of={state.shown} />
      <span>{state.words}</span>
    </span>
  )
}

export function LastPoll({ node }: { readonly node: Node }): ReactNode {
  const at = node.traefik?.lastPollAt ?? null
  return at === null ? 'never' : <Ago at={at} />
}

export function revisionWords({ revision: { applied, lag, current } }: Node, isKnown: boolean): string {
  if (applied === null) return 'none yet'
  if (!isKnown) return `${applied}, last known`
  return lag !== null && lag > 0 ? `${applied} of ${current}` : String(applied)
}
