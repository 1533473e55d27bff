/** The first page: how many routes are live, what needs somebody, how the nodes and the ports are. Thirty seconds on a Monday. */
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import type { Overview } from '../../../api/overview.ts'
import { useOverview } from '../../data/queries.ts'
import { useIsLinkUp } from '../../data/runtime-context.tsx'
import { href } from '../../places.ts'
import { ExposeAction, Page } from '../../shell/page.tsx'
import { ButtonLink } from '../../ui/button.tsx'
import { Bar, Empty, ErrorCard, Loading } from '../../ui/states.tsx'
import { Attention } from './attention.tsx'
import { Hero } from './hero.tsx'
import { LastChanges } from './last-changes.tsx'
import { NodesCard, PoolsCard, SavedToLiveCard } from './side-cards.tsx'
import './overview.css'

export function OverviewPage(): ReactElement {
  const { data, error, refetch } = useOverview()
  return (
    <Page title="Overview">
      {data !== undefined ? (
        <Content overview={data} />
      ) : error !== null ? (
        <>
          <h1>Overview</h1>
          <ErrorCard error={error} what="The overview" onRetry={() => void refetch()} />
        </>
      ) : (
        <Loading what="the overview">
          <Skeleton />
        </Loading>
      )}
    </Page>
  )
}

function Content({ overview }: { readonly overview: Overview }): ReactElement {
  if (overview.routes.total === 0) return <Beginning overview={overview} />
  return (
    <>
      <Hero overview={overview} />
      <div className="two">
        <div className="stack">
          <Attention overview={overview} />
          <LastChanges overview={overview} />
        </div>
        <div className="stack">
          <NodesCard overview={overview} />
          <PoolsCard overview={overview} />
          <SavedToLiveCard overview={overview} />
        </div>
      </div>
    </>
  )
}

/** Nothing is exposed yet: the two things that make a beginning, in their order. */
function Beginning({ overview }: { readonly overview: Overview }): ReactElement {
  const isLinkUp = useIsLinkUp()
  const hasNodes = overview.nodes.total > 0
  return (
    <>
      <h1>{isLinkUp ? 'No routes yet' : 'There were no routes'}</h1>
      {hasNodes ? (
        <Empty
          title="Nothing is exposed yet"
          action={<ExposeAction />}
          command="fairlead expose 10.200.1.5:5432 --wait"
        >
          Name a service, say where it listens, and it gets a public port. It takes about a minute, most of it typing.
        </Empty>
      ) : (
        <Empty
          title="No node yet"
          action={
            <ButtonLink kind="primary" href={href.enrol()}>
              Enrol a node
            </ButtonLink>
          }
        >
          A node is a machine with Traefik and the agent. Enrol the first one, then expose a service on it; or{' '}
          <Link className="link" href={href.newService()}>
            expose one now
          </Link>
          , and it goes live when the node is there.
        </Empty>
      )}
      <div className="half">
        <NodesCard overview={overview} />
        <PoolsCard overview={overview} />
      </div>
    </>
  )
}

function Skeleton(): ReactElement {
  return (
    <>
      <div className="hero">
        <p className="t3 sm">Routes</p>
        <Bar width={18} />
        <Bar width={60} />
      </div>
      <div className="two">
        <div className="card">
          {[18, 24, 20, 22].map(width => (
            <div className="card-b stack g1" key={width}>
              <Bar width={width / 2} />
              <Bar width={width} />
            </div>
          ))}
        </div>
        <div className="card">
          {[8, 9, 7].map(width => (
            <div className="card-b" key={width}>
              <Bar width={width} />
            </div>
          ))}
        </div>
      </div>
    </>
  )
}
