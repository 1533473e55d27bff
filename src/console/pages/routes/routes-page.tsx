/** Every route, what is not live first. Where an alert or a count leads to. */
import { Server } from 'lucide-react'
import { type ReactElement, useEffect, useMemo } from 'react'
import type { RouteRow } from '../../../api/route.ts'
import { useRouteRows } from '../../data/queries.ts'
import { ChoiceMenu } from '../../list/choice-menu.tsx'
import { ListFoot } from '../../list/list-foot.tsx'
import { ListSkeleton } from '../../list/list-skeleton.tsx'
import { ProtocolChoice } from '../../list/protocol-choice.tsx'
import { SearchBox } from '../../list/search-box.tsx'
import { type ChangeFilters, useFilters } from '../../list/use-filters.ts'
import { VerdictMenu } from '../../list/verdict-menu.tsx'
import { href } from '../../places.ts'
import { ExposeAction, Page, PageHead } from '../../shell/page.tsx'
import { announceCount } from '../../ui/announce.ts'
import { Button } from '../../ui/button.tsx'
import { useHeldOrder } from '../../ui/held-order.ts'
import { Empty, ErrorCard, Loading, NoMatch } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { type Column, VirtualTable } from '../../ui/virtual-table.tsx'
import { useNodeStanding, useRowStanding, useVoices } from '../../verdict/use-standing.ts'
import { lookOf } from '../../verdict/verdict.ts'
import { VerdictMark } from '../../verdict/verdict-mark.tsx'
import { counted, grouped } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import {
  filterRoutes,
  indexRoutes,
  keyOfListed,
  type ListedRoute,
  listRoutes,
  type RouteFilters,
  routeFiltersOf,
  routeParamsOf,
  sortRoutes,
} from './route-list.ts'

export function RoutesPage(): ReactElement {
  const { data, error, refetch } = useRouteRows()
  return (
    <Page title="Routes">
      {data === undefined ? (
        <>
          <PageHead title="Routes" />
          {error === null ? (
            <Loading what="routes">
              <ListSkeleton columns={COLUMNS} />
            </Loading>
          ) : (
            <ErrorCard error={error} what="The list" onRetry={() => void refetch()} />
          )}
        </>
      ) : data.length === 0 ? (
        <>
          <PageHead title="Routes">None yet.</PageHead>
          <Empty title="No routes yet" action={<ExposeAction />} command="fairlead expose 10.200.1.5:5432 --wait">
            Each public port of a service is a route. What became of it on every node stands here.
          </Empty>
        </>
      ) : (
        <List routes={data} />
      )}
    </Page>
  )
}

const COLUMNS: readonly Column<ListedRoute>[] = [
  {
    id: 'name',
    head: 'Route',
    width: 'minmax(10rem, 1.6fr)',
    small: 'main',
    isLink: true,
    cell: ({ route }) => (
      <span className="trunc block">
        <span className="name">
          <Text most={36}>{route.name}</Text>
        </span>
        <span className="t3 xs block">{route.protocol.toUpperCase()}</span>
      </span>
    ),
  },
  {
    id: 'address',
    head: 'Address',
    width: 'minmax(12rem, 1.6fr)',
    small: 'below',
    cell: ({ route }) => (
      <span className="mono trunc block">
        <Text>{route.address}</Text>
      </span>
    ),
  },
  {
    id: 'node',
    head: 'Node',
    width: 'minmax(6rem, 0.8fr)',
    cell: ({ node }) => (node === null ? <span className="t3">all</span> : <Text most={24}>{node.name}</Text>),
  },
  {
    id: 'verdict',
    head: 'Verdict',
    width: 'minmax(8rem, 0.8fr)',
    small: 'end',
    sort: 'ascending',
    cell: ({ standing, node }) => <VerdictMark standing={standing} {...(node === null ? {} : { note: null })} />,
  },
  {
    id: 'reason',
    head: 'Reason',
    width: 'minmax(9rem, 1.2fr)',
    cell: ({ standing, reason }) =>
      standing.shown === 'live' || reason === '' ? null : (
        <span className="mono xs trunc block">
          <Text>{reason}</Text>
        </span>
      ),
  },
  {
    id: 'since',
    head: 'For',
    width: '5rem',
    align: 'right',
    cell: ({ since, standing }) => (since === null || standing.shown === 'unknown' ? null : <Ago at={since} />),
  },
]

function List({ routes }: { readonly routes: readonly RouteRow[] }): ReactElement {
  const voices = useVoices()
  const ofRow = useRowStanding()
  const onNode = useNodeStanding()
  const [filters, change] = useFilters(routeFiltersOf, routeParamsOf)
  const listed = useMemo(
    () => listRoutes(routes, voices, { ofRow, onNode }, filters.node),
    [routes, voices, ofRow, onNode, filters.node],
  )
  const index = useMemo(() => indexRoutes(listed), [listed])
  const found = useMemo(() => sortRoutes(filterRoutes(index, filters)), [index, filters])
  const { rows, moved, hold, release } = useHeldOrder(found, keyOfListed, JSON.stringify(filters))
  const isFiltered = routeParamsOf(filters).size > 0
  useEffect(() => {
    if (isFiltered) announceCount(counted(rows.length, 'row'))
  }, [rows.length, isFiltered])
  const clear = (): void => change({ q: '', verdicts: [], protocol: 'all', node: null })
  return (
    <div className="stack g4">
      <PageHead title="Routes">{sentence(routes, ofRow)}</PageHead>
      <Tools {...{ filters, change }} />
      {rows.length === 0 ? (
        <NoMatch
          title={filters.q === '' ? 'No route is like that' : `No route matches “${withMarks(filters.q)}”`}
          onClear={clear}
        >
          {filters.verdicts.length > 0 &&
            `Only ${filters.verdicts.map(one => lookOf(one).word).join(' or ')} is asked for.`}
        </NoMatch>
      ) : (
        <VirtualTable
          label="Routes"
          rows={rows}
          keyOf={keyOfListed}
          hrefOf={({ route, node }) => href.route(route.id, node === null ? {} : { node: node.id })}
          columns={COLUMNS}
          onHold={hold}
          foot={
            <ListFoot moved={moved} onRefresh={release}>
              {isFiltered
                ? `${grouped(rows.length)} of ${counted(listed.length, 'row')}`
                : counted(routes.length, 'route')}
            </ListFoot>
          }
        />
      )}
    </div>
  )
}

function sentence(routes: readonly RouteRow[], ofRow: ReturnType<typeof useRowStanding>): string {
  const shown = routes.map(route => ofRow(route).shown)
  const unknown = shown.filter(one => one === 'unknown').length
  if (unknown === routes.length) return `${counted(routes.length, 'route')}. How they are is not known now.`
  const live = shown.filter(one => one === 'live').length
  const rest = routes.length - live
  if (rest === 0) return `${counted(routes.length, 'route')}, live everywhere.`
  return `${grouped(live)} of ${counted(routes.length, 'route')} live everywhere. What is not stands first, node by node.`
}

function Tools({
  filters,
  change,
}: {
  readonly filters: RouteFilters
  readonly change: ChangeFilters<RouteFilters>
}): ReactElement {
  const voices = useVoices()
  return (
    <div className="tools" role="search" aria-label="Routes">
      <SearchBox
        label="Filter routes"
        placeholder="Name, address, node, reason"
        value={filters.q}
        onChange={q => change({ q })}
      />
      <ProtocolChoice value={filters.protocol} onChange={protocol => change({ protocol })} />
      <VerdictMenu value={filters.verdicts} onChange={verdicts => change({ verdicts })} />
      {voices.length > 1 && (
        <ChoiceMenu
          label="Node"
          icon={Server}
          options={voices.map(({ id, name }) => [id, name] as const)}
          value={filters.node}
          onChange={node => change({ node })}
        />
      )}
      {(filters.verdicts.length > 0 || filters.node !== null) && (
        <Button kind="quiet" onClick={() => change({ verdicts: [], node: null })}>
          Clear
        </Button>
      )}
    </div>
  )
}
