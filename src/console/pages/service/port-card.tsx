/** One port of a service: the address in large type, TLS in words, the way of the last change, and the command to connect. */
import { Lock, LockOpen, Pencil, Trash2 } from 'lucide-react'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import type { Port } from '../../../api/port.ts'
import type { Route, RouteOnNode } from '../../../api/route.ts'
import { useRouteDetail } from '../../data/queries.ts'
import { useIsLinkUp } from '../../data/runtime-context.tsx'
import { href } from '../../places.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Chain, type ChainLink } from '../../ui/chain.tsx'
import { Command } from '../../ui/code.tsx'
import { Tabs } from '../../ui/controls.tsx'
import { CopyButton } from '../../ui/copy.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Text } from '../../ui/text.tsx'
import { At, Took } from '../../ui/time.tsx'
import { useNodeStanding, useVerdict } from '../../verdict/use-standing.ts'
import { byRank } from '../../verdict/verdict.ts'
import { VerdictMark } from '../../verdict/verdict-mark.tsx'
import { grouped } from '../../words/count.ts'
import { protocolName } from '../../words/preset.ts'
import { sinceSaved } from '../../words/stages.ts'
import { limitsOf } from './limits.ts'

type PortCardProps = {
  readonly port: Port
  readonly mayWrite: boolean
  /** Its address is the one that the key Y copies. */
  readonly isFirst: boolean
  readonly onDelete: (port: Port) => void
}

export function PortCard({ port, mayWrite, isFirst, onDelete }: PortCardProps): ReactElement {
  const standing = useVerdict(port.id)
  return (
    <section className="card" aria-labelledby={`port-${port.id}`}>
      <div className="portcard-top">
        <div className="row between">
          <h2 id={`port-${port.id}`} className="t2">
            {protocolName(port.protocol)} port {port.port}
          </h2>
          <div className="row g3">
            {port.isPublic && standing !== null && <VerdictMark standing={standing} pill note={null} />}
            {mayWrite && (
              <>
                <ButtonLink size="sm" icon={Pencil} iconOnly href={href.editPort(port.serviceId, port.id)}>
                  Edit port {port.port}
                </ButtonLink>
                <Button size="sm" icon={Trash2} iconOnly onClick={() => onDelete(port)}>
                  Delete port {port.port}
                </Button>
              </>
            )}
          </div>
        </div>
        {port.address === null ? (
          <p className="t2">Not public: nobody reaches it from outside.</p>
        ) : (
          <>
            <div className="address">
              <Address text={port.address} />
              <CopyButton text={port.address} what="address" iconOnly={false} isMain={isFirst} />
            </div>
            <Tags port={port} />
          </>
        )}
      </div>
      {port.isPublic && <Way port={port} />}
      {port.connect.length > 0 && <Connect port={port} />}
    </section>
  )
}

/** The number in a tone of its own, so that the eye finds it. */
function Address({ text }: { readonly text: string }): ReactElement {
  const at = text.lastIndexOf(':')
  return at === -1 ? (
    <code>
      <Text>{text}</Text>
    </code>
  ) : (
    <code>
      <Text>{text.slice(0, at)}</Text>
      <wbr />
      <span>:</span>
      {text.slice(at + 1)}
    </code>
  )
}

function Tags({ port }: { readonly port: Port }): ReactElement {
  const { tls, sniHostname, protocol } = port
  const words =
    protocol === 'http'
      ? 'HTTPS ends at the proxy.'
      : protocol === 'udp'
        ? 'Datagrams go through as they are; UDP has no TLS here.'
        : tls === 'passthrough'
          ? sniHostname === null
            ? 'Only TLS clients get through; the backend keeps the certificate.'
            : 'The backend keeps the certificate; the proxy reads only the name.'
          : tls === 'terminate'
            ? 'TLS ends at the proxy; the backend gets plain bytes.'
            : 'Bytes go through as they are.'
  const name = tls === 'passthrough' ? 'TLS passthrough' : tls === 'terminate' ? 'TLS ends here' : 'no TLS here'
  return (
    <div className="row g3 sm t2 tagrow">
      {protocol === 'tcp' && (
        <span className="tag line">
          <Icon of={tls === 'none' ? LockOpen : Lock} size="s" />
          {name}
        </span>
      )}
      {sniHostname !== null && (
        <span className="tag line mono">
          SNI <Text most={44}>{sniHostname}</Text>
        </span>
      )}
      {port.shared !== null && <span className="tag line">shared port</span>}
      <span className="hide-sm t3">{words}</span>
    </div>
  )
}

/** The node to look at: the worst that reports. */
const worstNode = (route: Route | undefined): RouteOnNode | null =>
  [...(route?.nodes ?? [])]
    .filter(({ silent }) => !silent)
    .sort((one, other) => byRank(one.verdict, other.verdict))[0] ?? null

function Way({ port }: { readonly port: Port }): ReactElement | null {
  const { data: route } = useRouteDetail(port.id)
  const standing = useVerdict(port.id)
  const isLinkUp = useIsLinkUp()
  const node = worstNode(route)
  if (route === undefined || standing === null) return null
  const timings = route.nodes.flatMap(({ timingsMs }) => timingsMs.savedToLive ?? [])
  const took = timings.length === 0 ? null : Math.max(...timings)
  const isLive = standing.shown === 'live'
  return (
    <div className="portcard-top">
      <div className="row between">
        <p className="sm t2">
          {isLive && took !== null && isLinkUp ? (
            <>
              <span className="elapsed">
                <Took ms={took} />
              </span>{' '}
              &nbsp;from saved to live{route.nodes.length > 1 ? ' on all nodes that report' : ''},{' '}
              <At at={route.savedAt} />
            </>
          ) : node === null ? (
            route.nodes.length === 0 ? (
              'No node is enrolled that could serve it.'
            ) : (
              'No node reports now.'
            )
          ) : isLive ? (
            'Live.'
          ) : (
            <>
              <Text>{node.message}</Text> <b className="strong">{<Text>{node.remedy}</Text>}</b>
            </>
          )}
        </p>
        <Link className="link sm nowrap" href={href.route(port.id, node === null ? {} : { node: node.nodeId })}>
          Explain
        </Link>
      </div>
      <Chain
        mini
        verdict={standing.shown}
        links={linksOf(node, standing.shown !== 'unknown')}
        label="The way of the last change"
      />
    </div>
  )
}

const STEPS = ['expected', 'compiled', 'served', 'applied', 'probed'] as const

function linksOf(node: RouteOnNode | null, isKnown: boolean): readonly ChainLink[] {
  if (node === null || !isKnown) return STEPS.map(step => ({ step, ok: null, detail: 'not known' }))
  const times = sinceSaved(node.timingsMs)
  return node.chain.map(({ step, ok }) => {
    const ms = times.get(step)
    return { step, ok, detail: ms === undefined ? ok === null ? 'not tried' : '' : <Took ms={ms} /> }
  })
}

function Connect({ port }: { readonly port: Port }): ReactElement {
  const [client, setClient] = useState(port.connect[0]?.client ?? '')
  const chosen = port.connect.find(one => one.client === client) ?? port.connect[0]
  return (
    <div>
      <Tabs
        label="Connect with"
        value={chosen?.client ?? ''}
        onChange={setClient}
        tabs={port.connect.map(one => ({ value: one.client, label: one.client }))}
        panelClassName="card-b"
      >
        {chosen !== undefined && (
          <>
            <Command>{chosen.command}</Command>
            {chosen.note !== null && <p className="hint">{chosen.note}</p>}
          </>
        )}
      </Tabs>
    </div>
  )
}

/** More are a list of their own. */
const MOST_NODES = 8

/** Which nodes have it, with how many connections. */
export function OnNodes({ port }: { readonly port: Port }): ReactElement | null {
  const { data: route } = useRouteDetail(port.id)
  const standingOf = useNodeStanding()
  const [isWhole, setWhole] = useState(false)
  if (route === undefined || route.nodes.length === 0) return null
  const all = route.nodes.map(node => ({ node, standing: standingOf(node, node.nodeId) }))
  const isLong = all.length > MOST_NODES
  // Of many the worst are what one looks for.
  const shown =
    isLong && !isWhole
      ? [...all].sort((one, other) => byRank(one.standing.shown, other.standing.shown)).slice(0, MOST_NODES)
      : all
  return (
    <>
      {shown.map(({ node, standing }) => {
        const isKnown = standing.shown !== 'unknown'
        return (
          <div className="ep" key={node.nodeId}>
            <span className="row g3">
              <Link className="strong" href={href.route(port.id, { node: node.nodeId })}>
                <Text most={32}>{node.nodeName}</Text>
              </Link>
            </span>
            <span className="t3">
              {node.openConnections === null || !isKnown ? '' : `${grouped(node.openConnections)} open`}
            </span>
            <span>
              <VerdictMark standing={standing} note={null} />
            </span>
          </div>
        )
      })}
      {isLong && (
        <div className="ep">
          <button type="button" className="link sm" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
            {isWhole ? 'The worst only' : `All ${all.length} nodes`}
          </button>
        </div>
      )}
    </>
  )
}

/** What confines it, for a list of facts. */
export function Limits({ port }: { readonly port: Port }): ReactElement {
  return (
    <dl className="facts">
      {limitsOf(port).map(({ name, value, isMono }) => (
        <div className="contents" key={name}>
          <dt>{name}</dt>
          <dd className={isMono ? 'mono' : ''}>
            <Text>{value}</Text>
          </dd>
        </div>
      ))}
    </dl>
  )
}
