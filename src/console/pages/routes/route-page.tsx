/** One route on one node: the line through the five rings, why it stops where it stops, what to do, and the configuration that it became. */
import { Pencil, RefreshCw, Server } from 'lucide-react'
import { type ReactElement, useState } from 'react'
import { useLocation, useSearch } from 'wouter'
import type { Route, RouteOnNode, RouteStep } from '../../../api/route.ts'
import { keys } from '../../data/keys.ts'
import { isGone, sentence } from '../../data/problem.ts'
import { useRouteDetail, useSession } from '../../data/queries.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { useCommand } from '../../keyboard/use-command.ts'
import { href } from '../../places.ts'
import { Page, PageHead } from '../../shell/page.tsx'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Chain, type ChainLink } from '../../ui/chain.tsx'
import { Tabs } from '../../ui/controls.tsx'
import { LazyMenu } from '../../ui/lazy-menu.tsx'
import { Bar, Empty, ErrorCard, faultOf, Loading } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago, At, Took } from '../../ui/time.tsx'
import { toast } from '../../ui/toast.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import type { Standing } from '../../verdict/standing.ts'
import { useNodeStanding } from '../../verdict/use-standing.ts'
import { byRank } from '../../verdict/verdict.ts'
import { VerdictMark, wordOf } from '../../verdict/verdict-mark.tsx'
import { grouped, listed } from '../../words/count.ts'
import { shortIds, withMarks } from '../../words/safe-text.ts'
import { stageLines } from '../../words/stages.ts'
import { ConfigCard } from './config-card.tsx'
import { HistoryCard } from './history-card.tsx'
import '../service/service.css'

const CRUMBS = [{ label: 'Routes', href: href.routes() }]

export function RoutePage({ params }: { readonly params: Readonly<Record<string, string>> }): ReactElement {
  const { data, error, refetch } = useRouteDetail(params.id ?? '')
  if (data !== undefined && !isGone(error)) return <Whole route={data} />
  return (
    <Page title="Route" crumbs={CRUMBS}>
      {error !== null ? (
        <ErrorCard
          error={error}
          what="The route"
          onRetry={() => void refetch()}
          back={{ label: 'Routes', href: href.routes() }}
        />
      ) : (
        <Loading what="the route">
          <div className="card card-b stack g4">
            {[14, 30, 22].map(width => (
              <Bar key={width} width={width} />
            ))}
          </div>
        </Loading>
      )}
    </Page>
  )
}

type OnNode = { readonly node: RouteOnNode; readonly standing: Standing }

/** Worst first is where one begins to look; the tabs stand in the order of the nodes. */
function useChosen(route: Route): readonly [readonly OnNode[], OnNode | undefined, (nodeId: string) => void] {
  const standingOf = useNodeStanding()
  const [, navigate] = useLocation()
  const wanted = new URLSearchParams(useSearch()).get('node')
  const all = route.nodes.map(node => ({ node, standing: standingOf(node, node.nodeId) }))
  const [worst] = [...all].sort((one, other) => byRank(one.standing.shown, other.standing.shown))
  const chosen = all.find(({ node }) => node.nodeId === wanted) ?? worst
  return [all, chosen, nodeId => navigate(href.route(route.id, { node: nodeId }), { replace: true })]
}

function Whole({ route }: { readonly route: Route }): ReactElement {
  const [all, chosen, choose] = useChosen(route)
  const session = useSession().data
  const mayWrite = session?.scopes.some(scope => scope !== 'read') === true
  const [, navigate] = useLocation()
  const edit = href.editPort(route.serviceId, route.id)
  useCommand('edit', () => (mayWrite ? navigate(edit) : false))
  const step = (by: number) => () => {
    const at = all.findIndex(one => one.node.nodeId === chosen?.node.nodeId)
    const next = all[(at + by + all.length) % all.length]
    return next === undefined || all.length < 2 ? false : choose(next.node.nodeId)
  }
  useCommand('node-next', step(1))
  useCommand('node-previous', step(-1))
  return (
    <Page
      title={chosen === undefined ? route.name : chosen.node.nodeName}
      crumbs={chosen === undefined ? CRUMBS : [...CRUMBS, { label: route.name, href: href.service(route.serviceId) }]}
      action={
        <span className="row">
          {mayWrite && <ProbeButton route={route} />}
          {mayWrite && (
            <ButtonLink icon={Pencil} href={edit}>
              Edit
            </ButtonLink>
          )}
        </span>
      }
    >
      <div className="stack">
        <PageHead
          title={<Text most={40}>{route.name}</Text>}
          aside={
            all.length > 1 && chosen !== undefined ? (
              <NodeChoice all={all} chosen={chosen.node.nodeId} choose={choose} />
            ) : undefined
          }
        >
          <span className="mono">
            <Text>{route.address}</Text>
          </span>{' '}
          · {route.protocol.toUpperCase()}
        </PageHead>
        {chosen === undefined ? (
          <Empty title="No node serves it" action={<ButtonLink href={href.enrol()}>Enrol a node</ButtonLink>}>
            The route is saved and waits for the first node.
          </Empty>
        ) : (
          <>
            <OnOneNode route={route} all={all} {...chosen} />
            <ConfigCard
              nodes={all.map(({ node, standing }) => ({ ...node, isKnown: standing.shown !== 'unknown' }))}
              chosen={chosen.node.nodeId}
              protocol={route.protocol}
            />
          </>
        )}
        <HistoryCard routeId={route.id} nodeId={chosen?.node.nodeId ?? null} />
      </div>
    </Page>
  )
}

/** More do not stand in one line. */
const MOST_TABS = 6

type NodeChoiceProps = {
  readonly all: readonly OnNode[]
  readonly chosen: string
  readonly choose: (nodeId: string) => void
}

/** A tab for each node; of many a menu, the worst first. */
function NodeChoice({ all, chosen, choose }: NodeChoiceProps): ReactElement {
  const shapeOf = (standing: Standing): ReactElement => (
    <span className={`v only ${toneOf(standing.shown)}`}>
      <Shape of={standing.shown} label={wordOf(standing)} />
    </span>
  )
  if (all.length > MOST_TABS) {
    const at = all.findIndex(({ node }) => node.nodeId === chosen)
    return (
      <LazyMenu
        label={`Node ${at + 1} of ${all.length}`}
        icon={Server}
        align="end"
        entries={[...all]
          .sort((one, other) => byRank(one.standing.shown, other.standing.shown))
          .map(({ node, standing }) => ({
            id: node.nodeId,
            label: withMarks(node.nodeName),
            lead: shapeOf(standing),
            trail: node.nodeId === chosen ? 'shown' : wordOf(standing),
            onSelect: () => choose(node.nodeId),
          }))}
      />
    )
  }
  return (
    <Tabs
      label="Node"
      look="seg"
      value={chosen}
      onChange={choose}
      tabs={all.map(({ node, standing }) => ({
        value: node.nodeId,
        label: (
          <>
            {shapeOf(standing)}
            {withMarks(node.nodeName)}
          </>
        ),
      }))}
    />
  )
}

function ProbeButton({ route }: { readonly route: Route }): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const [isBusy, setBusy] = useState(false)
  const probe = async (): Promise<void> => {
    setBusy(true)
    try {
      await client.send('POST', `/routes/${encodeURIComponent(route.id)}/probe`)
      toast({ text: 'Asked. What comes back stands at the last ring.' })
      void queries.invalidateQueries({ queryKey: keys.route(route.id) })
    } catch (error) {
      const { message, remedy } = faultOf(error)
      toast({ text: `${message} ${remedy}`, tone: 'wrong' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button icon={RefreshCw} disabled={isBusy} onClick={() => void probe()}>
      Probe<span className="hide-sm"> now</span>
    </Button>
  )
}

type OnOneNodeProps = OnNode & { readonly route: Route; readonly all: readonly OnNode[] }

function OnOneNode({ route, all, node, standing }: OnOneNodeProps): ReactElement {
  const isKnown = standing.shown !== 'unknown'
  const elsewhere = all.filter(one => one.node.nodeId !== node.nodeId)
  const total = node.timingsMs.savedToLive
  return (
    <section className="card" aria-label={`The chain on ${withMarks(node.nodeName)}`}>
      <div className="portcard-top">
        <Chain links={chainOf(node, isKnown)} verdict={standing.shown} label="From expected to probed" />
      </div>
      <div className="card-b">
        <div className="two">
          <div className="stack g4">
            <div className="row g3">
              <VerdictMark standing={standing} pill note={null} />
              <span className="t3 sm">
                {standing.shown === 'live' && total !== undefined ? (
                  <>
                    in <Took ms={total} />
                  </>
                ) : (
                  node.since !== null &&
                  isKnown && (
                    <>
                      for <Ago at={node.since} />
                    </>
                  )
                )}
                {node.revision !== null && isKnown && `, since revision ${node.revision}`}
              </span>
            </div>
            {standing.shown !== 'live' && (
              <>
                <div className="stack g1">
                  <h2>Why</h2>
                  <p className="t2">
                    <Text>
                      {sentence(isKnown || node.silent ? node.message : 'The link to the control plane is lost.')}
                    </Text>
                  </p>
                </div>
                <div className="stack g1">
                  <h2>What to do</h2>
                  <p className="t2">
                    <b className="strong">
                      <Text>
                        {sentence(isKnown || node.silent ? node.remedy : 'Nothing: it is tried again by itself.')}
                      </Text>
                    </b>
                  </p>
                </div>
              </>
            )}
            <div className="row">
              <ButtonLink href={href.service(route.serviceId)}>Open service</ButtonLink>
              <ButtonLink href={href.node(node.nodeId)}>Open {withMarks(node.nodeName)}</ButtonLink>
            </div>
          </div>
          <dl className="facts">
            <dt>Code</dt>
            <dd className="mono">
              <Text>{node.reason}</Text>
            </dd>
            <dt>Elsewhere</dt>
            <dd>{elsewhere.length === 0 ? 'there is no other node' : elsewhereWords(elsewhere)}</dd>
            <dt>Open connections</dt>
            <dd>{node.openConnections === null || !isKnown ? 'not known' : grouped(node.openConnections)}</dd>
            <dt>Last changed</dt>
            <dd>
              revision {route.revision}, <Ago at={route.savedAt} suffix />
            </dd>
            {stageLines(node.timingsMs).map(({ words, ms }) => (
              <div key={words} className="contents">
                <dt>{words}</dt>
                <dd>
                  <Took ms={ms} />
                </dd>
              </div>
            ))}
          </dl>
        </div>
      </div>
    </section>
  )
}

/** `live on proxy-1, proxy-2; waiting on proxy-4`. */
function elsewhereWords(others: readonly OnNode[]): string {
  const words = new Map<string, string[]>()
  for (const { node, standing } of others) {
    const word = wordOf(standing)
    words.set(word, [...(words.get(word) ?? []), withMarks(node.nodeName)])
  }
  return [...words].map(([word, names]) => `${word} on ${listed(names)}`).join('; ')
}

const NOT_KNOWN: readonly RouteStep['step'][] = ['expected', 'compiled', 'served', 'applied', 'probed']

function chainOf({ chain }: RouteOnNode, isKnown: boolean): readonly ChainLink[] {
  // Rings that were proven an hour ago prove nothing now.
  if (!isKnown) return NOT_KNOWN.map(step => ({ step, ok: null, detail: 'not known' }))
  return chain.map(({ step, ok, at, detail }) => ({
    step,
    ok,
    detail: (
      <>
        <Text most={90}>{shortIds(detail)}</Text>
        {at !== null && (
          <span className="block">
            <At at={at} />
          </span>
        )}
      </>
    ),
  }))
}
