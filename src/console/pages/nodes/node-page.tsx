/** One node: how far it is, what it lacks or holds, which of its routes are not live. */
import { lazy, type ReactElement, type ReactNode, Suspense, useState } from 'react'
import { Link } from 'wouter'
import type { Node } from '../../../api/node.ts'
import { isGone } from '../../data/problem.ts'
import { useNode, useRouteRows, useSession } from '../../data/queries.ts'
import type { PageProps } from '../../pages.tsx'
import { href } from '../../places.ts'
import { Page, PageHead } from '../../shell/page.tsx'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { Bar, ErrorCard, Loading } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago, Day } from '../../ui/time.tsx'
import { saidOnNode } from '../../verdict/standing.ts'
import { useNodeStanding } from '../../verdict/use-standing.ts'
import { byRank } from '../../verdict/verdict.ts'
import { VerdictMark } from '../../verdict/verdict-mark.tsx'
import { counted, grouped } from '../../words/count.ts'
import { HeldCard } from './held-card.tsx'
import { MissingCard } from './missing-card.tsx'
import type { NodeAct } from './node-acts.tsx'
import { driftWords, liveWords } from './node-state.ts'
import { LastPoll, NodeMark, revisionWords } from './node-table.tsx'
import { type StatedNode, useNodeStates } from './use-node-states.ts'
import './nodes.css'

const NodeActDialog = lazy(async () => ({ default: (await import('./node-acts.tsx')).NodeActDialog }))
const CRUMBS = [{ label: 'Nodes', href: href.nodes() }]

export function NodePage({ params }: PageProps): ReactElement {
  const { data, error, refetch } = useNode(params.id ?? '')
  if (data !== undefined && !isGone(error)) return <Whole node={data.data} etag={data.etag} />
  return (
    <Page title="Node" crumbs={CRUMBS}>
      {error !== null ? (
        <ErrorCard
          error={error}
          what="The node"
          onRetry={() => void refetch()}
          back={{ label: 'Nodes', href: href.nodes() }}
        />
      ) : (
        <Loading what="the node">
          <div className="card card-b stack g4">
            {[12, 16, 10].map(width => (
              <Bar key={width} width={width} />
            ))}
          </div>
        </Loading>
      )}
    </Page>
  )
}

function Whole({ node, etag }: { readonly node: Node; readonly etag: string | null }): ReactElement | null {
  const [stated] = useNodeStates([node])
  const [act, setAct] = useState<NodeAct | null>(null)
  const mayAdmin = useSession().data?.scopes.includes('admin') === true
  if (stated === undefined) return null
  return (
    <Page title={node.name} crumbs={CRUMBS}>
      <div className="stack">
        <PageHead title={<Text most={40}>{node.name}</Text>} aside={<NodeMark state={stated.state} pill />}>
          Enrolled <Ago at={node.createdAt} suffix />
          {node.lastSeenAt === null ? (
            ''
          ) : (
            <>
              , last heard of <Ago at={node.lastSeenAt} suffix />
            </>
          )}
          .
        </PageHead>
        {stated.state.isKnown && (
          <>
            <HeldCard node={node} mayAdmin={mayAdmin} />
            <MissingCard node={node} />
          </>
        )}
        <Facts {...stated} />
        <NotLive node={node} />
        {mayAdmin && <Acts node={node} onAct={setAct} />}
      </div>
      {act !== null && (
        <Suspense>
          <NodeActDialog {...{ node, etag, act }} onClose={() => setAct(null)} />
        </Suspense>
      )}
    </Page>
  )
}

function Facts({ node, state: { isKnown } }: StatedNode): ReactElement {
  const { traefik, revision } = node
  const facts: readonly (readonly [string, ReactNode])[] = [
    [
      'Revision',
      <span className="mono" key="r">
        {revisionWords(node, isKnown)}
      </span>,
    ],
    ['Routes live', liveWords(node, isKnown)],
    ['Open connections', isKnown ? grouped(node.openConnections) : 'not known'],
    ['Drift', driftWords(node.drift, isKnown)],
    [
      'Traefik',
      <Text key="t" most={40}>
        {traefikWords(traefik, isKnown)}
      </Text>,
    ],
    [
      'Traefik started',
      traefik?.startedAt == null || !isKnown ? 'not known' : <Ago key="s" at={traefik.startedAt} suffix />,
    ],
    ['Last poll of Traefik', isKnown ? <LastPoll key="p" node={node} /> : 'not known'],
    [
      'Agent',
      <Text key="a" most={30}>
        {node.agentVersion ?? 'not known'}
      </Text>,
    ],
    [
      'Control plane is at',
      <span className="mono" key="c">
        {revision.current}
      </span>,
    ],
    ...(node.revokedAt === null ? [] : [['Key revoked', <Day key="k" at={node.revokedAt} />] as const]),
  ]
  return (
    <Card title="How it is">
      <div className="card-b">
        <dl className="facts">
          {facts.map(([name, value]) => (
            <div key={name} className="contents">
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Card>
  )
}

const STATES: Readonly<Record<NonNullable<Node['traefik']>['state'], string>> = {
  verified: 'read back',
  unverified: 'its API cannot be read, so nothing is verified',
  down: 'down',
  'never-polled': 'has never polled the agent',
}

function traefikWords(traefik: Node['traefik'], isKnown: boolean): string {
  if (traefik === null) return 'not known'
  const version = traefik.version ?? 'version not known'
  return isKnown ? `${version}, ${STATES[traefik.state]}` : `${version}, last known`
}

const SHOWN = 20

function NotLive({ node }: { readonly node: Node }): ReactElement | null {
  const { data } = useRouteRows()
  const standingOf = useNodeStanding()
  if (data === undefined || node.status === 'retired') return null
  const rows = data
    .map(row => ({ row, standing: standingOf({ verdict: saidOnNode(row, node.id) }, node.id) }))
    .filter(({ standing }) => standing.shown !== 'live')
    .sort((one, other) => byRank(one.standing.shown, other.standing.shown))
  const isSpeaking =
    data.length === 0 || rows.some(({ standing }) => standing.shown !== 'unknown') || rows.length < data.length
  return (
    <Card
      title={isSpeaking ? 'Routes that are not live here' : 'Routes here'}
      aside={
        <Link className="link sm" href={href.routes({ node: node.id })}>
          All routes
        </Link>
      }
    >
      {!isSpeaking ? (
        <p className="card-b t2">
          {counted(data.length, 'route')}. How {data.length === 1 ? 'it is' : 'they are'} is not known while nothing is
          heard of the node; its Traefik goes on as it was.
        </p>
      ) : rows.length === 0 ? (
        <p className="card-b t2">
          {data.length === 0
            ? 'There are no routes yet.'
            : `None. ${counted(data.length, 'route')} ${data.length === 1 ? 'is' : 'are'} live.`}
        </p>
      ) : (
        <table>
          <caption className="vh">Routes that are not live on this node</caption>
          <tbody>
            {rows.slice(0, SHOWN).map(({ row, standing }) => (
              <tr key={row.id}>
                <td>
                  <Link className="name" href={href.route(row.id, { node: node.id })}>
                    <Text most={36}>{row.name}</Text>
                  </Link>
                </td>
                <td className="mono hide-sm">
                  <Text most={40}>{row.address ?? ''}</Text>
                </td>
                <td className="r">
                  <VerdictMark standing={standing} note={null} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {isSpeaking && rows.length > SHOWN && <p className="card-b t3 sm">and {grouped(rows.length - SHOWN)} more</p>}
    </Card>
  )
}

function Acts({ node, onAct }: { readonly node: Node; readonly onAct: (act: NodeAct) => void }): ReactElement {
  const isRetired = node.status === 'retired'
  return (
    <Card title="Administration">
      <div className="card-b row node-acts">
        {!isRetired && <Button onClick={() => onAct('rename')}>Rename</Button>}
        {!isRetired && node.revokedAt === null && <Button onClick={() => onAct('revoke')}>Revoke its key</Button>}
        {!isRetired && (
          <Button kind="danger" onClick={() => onAct('retire')}>
            Retire
          </Button>
        )}
        {isRetired && (
          <Button kind="danger" onClick={() => onAct('delete')}>
            Forget
          </Button>
        )}
      </div>
    </Card>
  )
}
