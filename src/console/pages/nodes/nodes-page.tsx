/** The nodes: whether each is current, what it lacks, what it holds; and how another one comes in. */
import { Plus } from 'lucide-react'
import { lazy, type ReactElement, Suspense } from 'react'
import type { Node } from '../../../api/node.ts'
import { useNodes, useSession } from '../../data/queries.ts'
import type { PageProps } from '../../pages.tsx'
import { href } from '../../places.ts'
import { Page, PageHead } from '../../shell/page.tsx'
import { ButtonLink } from '../../ui/button.tsx'
import { Bar, Empty, ErrorCard, Loading } from '../../ui/states.tsx'
import { HeldCard } from './held-card.tsx'
import { MissingCard } from './missing-card.tsx'
import { nodesSentence } from './node-state.ts'
import { NodeTable } from './node-table.tsx'
import { useNodeStates } from './use-node-states.ts'
import './nodes.css'

const EnrolCard = lazy(async () => ({ default: (await import('./enrol-card.tsx')).EnrolCard }))

export function NodesPage({ place }: PageProps): ReactElement {
  const nodes = useNodes()
  const mayAdmin = useSession().data?.scopes.includes('admin') === true
  const isEnrolling = place === 'enrol'
  const enrol = (
    <ButtonLink kind="primary" icon={Plus} href={href.enrol()}>
      Enrol a node
    </ButtonLink>
  )
  return (
    <Page title="Nodes" {...(mayAdmin ? { action: enrol } : {})}>
      <div className="stack">
        {nodes.data !== undefined ? (
          <List nodes={nodes.data} mayAdmin={mayAdmin} isEnrolling={isEnrolling} />
        ) : nodes.error !== null ? (
          <>
            <PageHead title="Nodes" />
            <ErrorCard error={nodes.error} what="The list" onRetry={() => void nodes.refetch()} />
          </>
        ) : (
          <>
            <PageHead title="Nodes" />
            <Loading what="nodes">
              <div className="card card-b stack g4">
                {[14, 12, 15].map(width => (
                  <Bar key={width} width={width} />
                ))}
              </div>
            </Loading>
          </>
        )}
      </div>
    </Page>
  )
}

type ListProps = { readonly nodes: readonly Node[]; readonly mayAdmin: boolean; readonly isEnrolling: boolean }

function List({ nodes, mayAdmin, isEnrolling }: ListProps): ReactElement {
  const states = useNodeStates(nodes)
  const enrolling = isEnrolling && (
    <Suspense>
      <EnrolCard key="enrol" nodes={nodes} />
    </Suspense>
  )
  if (nodes.length === 0)
    return (
      <>
        <PageHead title="Nodes">None is enrolled.</PageHead>
        {enrolling}
        {!isEnrolling && (
          <Empty
            title="No node serves yet"
            action={
              mayAdmin ? (
                <ButtonLink kind="primary" icon={Plus} href={href.enrol()}>
                  Enrol a node
                </ButtonLink>
              ) : undefined
            }
          >
            A node is a machine with Traefik and the agent. Routes are live once one has them.
          </Empty>
        )}
      </>
    )
  return (
    <>
      <PageHead title="Nodes">{nodesSentence(states)}</PageHead>
      {enrolling}
      <NodeTable nodes={states} />
      {states
        .filter(({ state }) => state.isKnown)
        .map(({ node }) => (
          <div key={node.id} className="contents">
            <HeldCard node={node} mayAdmin={mayAdmin} />
            <MissingCard node={node} />
          </div>
        ))}
    </>
  )
}
