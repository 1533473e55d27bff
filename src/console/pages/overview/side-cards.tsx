/** Nodes, ports that are left, and how long a change takes. */
import type { CSSProperties, ReactElement } from 'react'
import { Link } from 'wouter'
import type { Overview } from '../../../api/overview.ts'
import { useLink } from '../../data/runtime-context.tsx'
import { href } from '../../places.ts'
import { Card } from '../../ui/card.tsx'
import { useNow } from '../../ui/now.ts'
import { Text } from '../../ui/text.tsx'
import { Took } from '../../ui/time.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import { useVoices } from '../../verdict/use-standing.ts'
import { byRank, type RouteVerdict } from '../../verdict/verdict.ts'
import { counted, grouped } from '../../words/count.ts'
import { agoWords } from '../../words/time.ts'

const MOST_NODES = 6

type OverviewNode = Overview['nodes']['items'][number]

export function NodesCard({ overview }: { readonly overview: Overview }): ReactElement {
  const lookOf = useNodeLook()
  const nodes = overview.nodes.items
    .filter(({ status }) => status !== 'retired')
    .map(node => ({ node, look: lookOf(node) }))
  // Of many the worst are what one looks for; of a few each has its place.
  const shown =
    nodes.length <= MOST_NODES
      ? nodes
      : [...nodes].sort((one, other) => byRank(one.look.shown, other.look.shown)).slice(0, MOST_NODES)
  const rest = nodes.length - shown.length
  return (
    <Card
      title="Nodes"
      aside={
        <Link className="link sm" href={nodes.length === 0 ? href.enrol() : href.nodes()}>
          {nodes.length === 0 ? 'Enrol one' : nodes.length === 1 ? 'Nodes' : `All ${nodes.length}`}
        </Link>
      }
    >
      {nodes.length === 0 ? (
        <p className="card-b t3 sm">None is enrolled.</p>
      ) : (
        <ul className="nodes-mini">
          {shown.map(({ node, look }) => (
            <NodeLine key={node.id} node={node} look={look} />
          ))}
          {rest > 0 && (
            <li>
              <Link className="link sm more" href={href.nodes()}>
                {grouped(rest)} more
              </Link>
            </li>
          )}
        </ul>
      )}
    </Card>
  )
}

type NodeLook = { readonly shown: RouteVerdict; readonly words: string; readonly isKnown: boolean }

/** Current is a node that has applied the newest revision and shows every route live. */
function useNodeLook(): (node: OverviewNode) => NodeLook {
  const link = useLink()
  const now = useNow(5_000)
  const voices = useVoices()
  return node => {
    const voice = voices.find(({ id }) => id === node.id)
    const notLive = node.total - node.live
    if (!link.isUp) return { shown: 'unknown', words: 'not known', isKnown: false }
    if (voice?.silent ?? node.silent) {
      const silentFor = voice?.lastSeenAt == null ? null : agoWords(now + link.clockOffsetMs - voice.lastSeenAt)
      const words = silentFor === null ? 'has not reported' : `no word for ${silentFor}`
      return { shown: 'unknown', words, isKnown: false }
    }
    if (node.lag === null) return { shown: 'pending', words: 'nothing applied yet', isKnown: true }
    const shown = notLive > 0 ? 'degraded' : node.lag > 0 ? 'pending' : 'live'
    if (node.lag > 0) return { shown, words: `${counted(node.lag, 'revision')} behind`, isKnown: true }
    return { shown, words: notLive > 0 ? `${grouped(notLive)} not live` : 'current', isKnown: true }
  }
}

function NodeLine({ node, look }: { readonly node: OverviewNode; readonly look: NodeLook }): ReactElement {
  const { shown, words, isKnown } = look
  return (
    <li className={toneOf(shown)}>
      <span className="v only">
        <Shape of={shown} />
      </span>
      <Link className="strong" href={href.node(node.id)}>
        <Text most={26}>{node.name}</Text>
      </Link>
      <span className="sm t2">{words}</span>
      <span className="sub">
        {node.status === 'lost' ? 'lost · ' : ''}
        {isKnown ? `${grouped(node.live)} of ${counted(node.total, 'route')} live` : counted(node.total, 'route')}
      </span>
    </li>
  )
}

export function PoolsCard({ overview }: { readonly overview: Overview }): ReactElement {
  return (
    <Card
      title="Ports left"
      aside={
        <Link className="link sm" href={href.ports()}>
          Map
        </Link>
      }
    >
      {overview.pools.map(({ protocol, range, total, used, resting, reserved, free }) => (
        <div className="pool" key={protocol}>
          <div className="row between">
            <span className="strong">
              {protocol.toUpperCase()} <span className="t3 sm">{range.replaceAll(',', ', ').replaceAll('-', '–')}</span>
            </span>
            <span>
              <b className="strong">{grouped(free)}</b> <span className="t3 sm">of {grouped(total)}</span>
            </span>
          </div>
          <div
            className="meter"
            role="img"
            aria-label={`${used} used, ${resting} resting, ${reserved} reserved, ${free} free`}
          >
            <i style={percent(used + reserved, total)} className={free === 0 ? 'warn' : ''} />
            <i style={percent(resting, total)} className="rest" />
          </div>
        </div>
      ))}
    </Card>
  )
}

const percent = (part: number, total: number): CSSProperties =>
  ({ '--p': total === 0 ? 0 : (part / total) * 100 }) as CSSProperties

/** How long the last measured changes took; not shown before there are some. */
export function SavedToLiveCard({ overview }: { readonly overview: Overview }): ReactElement | null {
  const { savedToLiveMs } = overview
  if (savedToLiveMs === null) return null
  return (
    <Card title="Saved to live" aside={<span className="t3 xs">last {counted(savedToLiveMs.count, 'change')}</span>}>
      <div className="card-b row between">
        <span>
          <span className="elapsed">
            <Took ms={savedToLiveMs.median} />
          </span>{' '}
          <span className="t3 sm">median</span>
        </span>
        <span>
          <span className="elapsed">
            <Took ms={savedToLiveMs.worst} />
          </span>{' '}
          <span className="t3 sm">slowest</span>
        </span>
      </div>
    </Card>
  )
}
