/** What needs somebody, worst first: each with its reason, its remedy in bold, and one button. */
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import type { Attention as Item, Overview } from '../../../api/overview.ts'
import { sentence } from '../../data/problem.ts'
import { useIsLinkUp } from '../../data/runtime-context.tsx'
import { href } from '../../places.ts'
import { ButtonLink } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import { useVoices, useWordStanding } from '../../verdict/use-standing.ts'
import { isVerdict, type RouteVerdict } from '../../verdict/verdict.ts'
import { wordOf } from '../../verdict/verdict-mark.tsx'
import { counted } from '../../words/count.ts'

export function Attention({ overview }: { readonly overview: Overview }): ReactElement {
  const { attention, attentionTotal, lastTroubleAt } = overview
  const isLinkUp = useIsLinkUp()
  if (attention.length === 0)
    return (
      <Card title="Needs attention">
        <p className="card-b t2">
          {isLinkUp ? 'Nothing needs you.' : 'Nothing needed you then.'}{' '}
          {lastTroubleAt !== null && (
            <>
              Last trouble: <Ago at={lastTroubleAt} suffix />.
            </>
          )}
        </p>
      </Card>
    )
  return (
    <Card
      title="Needs attention"
      aside={
        attentionTotal > attention.length ? (
          <Link className="link sm" href={href.routes()}>
            All {attentionTotal}
          </Link>
        ) : (
          <Link className="link sm" href={href.routes()}>
            Routes
          </Link>
        )
      }
    >
      <ul className="att">
        {attention.map(item => (
          <AttentionItem key={`${item.kind}-${item.routeId ?? item.nodeId}-${item.reason}`} item={item} />
        ))}
      </ul>
    </Card>
  )
}

function AttentionItem({ item }: { readonly item: Item }): ReactElement {
  const standingOf = useWordStanding()
  const verdict: RouteVerdict = isVerdict(item.verdict) ? item.verdict : 'unknown'
  const standing = standingOf(verdict)
  const where = useWhere(item)
  const action = actionOf(item)
  return (
    <li className={toneOf(standing.shown)}>
      <span className="v only">
        <Shape of={standing.shown} size={18} />
      </span>
      <p className="hd">
        <Link href={action.href}>
          <Text most={40}>{item.name}</Text>
        </Link>
        <span className="word">{wordOf(standing)}</span>
        <span className="t3 sm">
          {where}
          {item.since !== null && (
            <>
              {where === '' ? '' : ' · '}
              <Ago at={item.since} />
            </>
          )}
        </span>
      </p>
      <p className="why">
        <Text>{sentence(item.message)}</Text> <b>{sentence(item.remedy)}</b>
      </p>
      <div className="do">
        <ButtonLink size="sm" href={action.href}>
          {action.label}
        </ButtonLink>
      </div>
    </li>
  )
}

/** `proxy-3`, `2 nodes`, `all nodes`. */
function useWhere({ kind, nodeId, nodes }: Item): string {
  const voices = useVoices()
  if (kind === 'node') return 'node'
  if (nodes > 1 && nodes >= voices.length) return 'all nodes'
  if (nodes > 1) return counted(nodes, 'node')
  const node = voices.find(({ id }) => id === nodeId)
  return node === undefined || voices.length === 1 ? '' : node.name
}

/** The one thing to do about it: where the remedy is done. */
function actionOf({ kind, verdict, routeId, nodeId }: Item): { readonly label: string; readonly href: string } {
  if (kind === 'node' && nodeId !== null)
    return {
      label: verdict === 'held' ? 'Look at what is held' : verdict === 'waiting' ? 'Show the lines' : 'Open node',
      href: href.node(nodeId),
    }
  if (routeId !== null)
    return { label: 'Open route', href: href.route(routeId, nodeId === null ? {} : { node: nodeId }) }
  return { label: 'Routes', href: href.routes() }
}
