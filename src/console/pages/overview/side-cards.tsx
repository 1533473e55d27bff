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
import type { RouteVerdict } from '../../verdict/verdict.ts'
import { counted, grouped } from '../../words/count.ts'
import { agoWords } from '../../words/time.ts'

type OverviewNode = Overview['nodes']['items'][number]

export function NodesCard({ overview }: { readonly overview: Overview }): ReactElement {
  const nodes = overview.nodes.items.filter(({ status }) => status !== 'retired')
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
          {nodes.map(node => (
            <NodeLine key={node.id} node={node} />
          ))}
        </ul>
      )}
    </Card>
  )
}

/** Current is a node that has applied the newest revision and shows every route live. */
function NodeLine({ node }: { readonly node: OverviewNode }): ReactElement {
  const link = useLink()
  const now = useNow(5_000)
  const voice = useVoices().find(({ id }) => id === node.id)
  const isSilent = voice?.silent ?? node.silent
  const notLive = node.total - node.live
  const isBehind = node.lag === null || node.lag > 0
  const shown: RouteVerdict =
    !link.isUp || isSilent ? 'unknown' : notLive > 0 ? 'degraded' : isBehind ? 'pending' : 'live'
  const silentFor = voice?.lastSeenAt == null ? null : agoWords(now + link.clockOffsetMs - voice.lastSeenAt)
  const words = !link.isUp
    ? 'not known'
    : isSilent
      ? silentFor === null
        ? 'has not reported'
        : `no word for ${silentFor}`
      : node.lag === null
        ? 'nothing applied yet'
        : node.lag > 0
          ? `${counted(node.lag, 'revision')} behind`
          : notLive > 0
            ? `${grouped(notLive)} not live`
            : 'current'
  return (
    <li className={toneOf(shown)}>
      <span className="v only">
        <Shape of={shown} />
      </span>
      <Link className="strong" href={href.node(node.id)}>
        <Text most={32}>{node.name}</Text>
      </Link>
      <span className="sm t2">{words}</span>
      <span className="sub">
        {node.status === 'lost' ? 'lost · ' : ''}
        {isSilent || !link.isUp
          ? counted(node.total, 'route')
          : `${grouped(node.live)} of ${counted(node.total, 'route')} live`}
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
          <span className="t3 sm">half</span>
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
