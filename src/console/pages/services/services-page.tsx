/** All services: a virtual table, filtered in memory, every filter in the address. The drawer that exposes one lies over it. */
import { Users } from 'lucide-react'
import { lazy, type ReactElement, Suspense, useEffect, useMemo } from 'react'
import { Link } from 'wouter'
import { useProjectNames } from '../../data/names.ts'
import { useProjects, useRouteRows, useServiceRows } from '../../data/queries.ts'
import { ChoiceMenu } from '../../list/choice-menu.tsx'
import { ListFoot } from '../../list/list-foot.tsx'
import { ListSkeleton } from '../../list/list-skeleton.tsx'
import { ProtocolChoice } from '../../list/protocol-choice.tsx'
import { SearchBox } from '../../list/search-box.tsx'
import { type ChangeFilters, useFilters } from '../../list/use-filters.ts'
import { VerdictMenu } from '../../list/verdict-menu.tsx'
import type { PageProps } from '../../pages.tsx'
import { href, PATHS } from '../../places.ts'
import { ExposeAction, Page, PageHead } from '../../shell/page.tsx'
import { announceCount } from '../../ui/announce.ts'
import { Button } from '../../ui/button.tsx'
import { useHeldOrder } from '../../ui/held-order.ts'
import { Empty, ErrorCard, Loading, NoMatch } from '../../ui/states.tsx'
import { useChangedKeys, VirtualTable } from '../../ui/virtual-table.tsx'
import { useRowStanding } from '../../verdict/use-standing.ts'
import { lookOf } from '../../verdict/verdict.ts'
import { counted, grouped } from '../../words/count.ts'
import { nearestNames } from '../../words/search.ts'
import { useServiceColumns } from './columns.tsx'
import {
  countProtocols,
  type Filters,
  filterServices,
  filtersOf,
  indexServices,
  joinRoutes,
  type ListedService,
  paramsOf,
  sortServices,
} from './service-list.ts'

const ExposeDrawer = lazy(async () => ({ default: (await import('./expose-drawer.tsx')).ExposeDrawer }))
const SKELETON = [
  { id: 'service', head: 'Service', width: 'minmax(11rem, 1.3fr)' },
  { id: 'address', head: 'Address', width: 'minmax(12rem, 2fr)' },
  { id: 'project', head: 'Project', width: 'minmax(5rem, 0.7fr)' },
  { id: 'nodes', head: 'Nodes', width: '5.5rem' },
  { id: 'verdict', head: 'Verdict', width: 'minmax(8.5rem, 1fr)' },
  { id: 'changed', head: 'Changed', width: '5rem' },
]
const keyOf = ({ service }: ListedService): string => service.id

export function ServicesPage({ place }: PageProps): ReactElement {
  const services = useServiceRows()
  return (
    <>
      <Page title="Services">
        {services.data === undefined ? (
          <>
            <PageHead title="Services" />
            {services.error === null ? (
              <Loading what="services">
                <ListSkeleton columns={SKELETON} />
              </Loading>
            ) : (
              <ErrorCard error={services.error} what="The list" onRetry={() => void services.refetch()} />
            )}
          </>
        ) : services.data.length === 0 ? (
          <>
            <PageHead title="Services" />
            <Empty
              title="Nothing is exposed yet"
              action={<ExposeAction />}
              command="fairlead expose 10.200.1.5:5432 --wait"
            >
              Name a service, say where it listens, and it gets a public port. It takes about a minute, most of it
              typing.
            </Empty>
          </>
        ) : (
          <List />
        )}
      </Page>
      {place === 'newService' && (
        <Suspense>
          <ExposeDrawer />
        </Suspense>
      )}
    </>
  )
}

function List(): ReactElement {
  const { data: services = [] } = useServiceRows()
  const { data: routes } = useRouteRows()
  const standingOf = useRowStanding()
  const [filters, change] = useFilters(filtersOf, paramsOf)

  const joined = useMemo(() => joinRoutes(services, routes ?? [], standingOf), [services, routes, standingOf])
  const index = useMemo(() => indexServices(joined), [joined])
  const found = useMemo(() => sortServices(filterServices(index, filters), filters.sort), [index, filters])
  const { rows, moved, hold, release } = useHeldOrder(found, keyOf, JSON.stringify(filters))
  const changed = useChangedKeys(routes, row => row.serviceId)
  const columns = useServiceColumns(filters.sort, sort => change({ sort }))

  const isFiltered = paramsOf({ ...filters, sort: 'changed' }).size > 0
  const clear = (): void => change({ q: '', protocol: 'all', verdicts: [], project: null })
  useEffect(() => {
    if (isFiltered) announceCount(counted(rows.length, 'service'))
  }, [rows.length, isFiltered])

  return (
    <div className="stack g4">
      <PageHead title="Services">
        {counted(services.length, 'service')}
        {routes === undefined ? '.' : `, ${counted(routes.length, 'route')}. ${stateWords(joined)}`}
      </PageHead>
      <Tools filters={filters} change={change} />
      {rows.length === 0 ? (
        <NothingFound filters={filters} all={joined} clear={clear} />
      ) : (
        <VirtualTable
          label="Services"
          rows={rows}
          keyOf={keyOf}
          hrefOf={({ service }) => href.service(service.id)}
          columns={columns}
          onHold={hold}
          changed={changed}
          foot={
            <ListFoot moved={moved} onRefresh={release}>
              {isFiltered
                ? `${grouped(rows.length)} of ${counted(services.length, 'service')}`
                : counted(services.length, 'service')}
            </ListFoot>
          }
        />
      )}
    </div>
  )
}

/** One sentence on how they are; what is not known is not called a fault. */
function stateWords(rows: readonly ListedService[]): string {
  const shown = rows.flatMap(({ standing }) => standing?.shown ?? [])
  const unknown = shown.filter(one => one === 'unknown').length
  const notLive = shown.filter(one => !['live', 'pending', 'unknown', 'gone'].includes(one)).length
  if (unknown > 0 && unknown === shown.length) return 'How they are is not known now.'
  if (notLive === 0 && unknown === 0) return 'All are live or on their way.'
  const parts = [
    notLive === 0 ? '' : `${grouped(notLive)} ${notLive === 1 ? 'is' : 'are'} not live everywhere.`,
    unknown === 0 ? '' : `${grouped(unknown)} ${unknown === 1 ? 'is' : 'are'} not known.`,
  ]
  return parts.filter(Boolean).join(' ')
}

type ToolsProps = { readonly filters: Filters; readonly change: ChangeFilters<Filters> }

function Tools({ filters, change }: ToolsProps): ReactElement {
  const { data: services = [] } = useServiceRows()
  const { data: projects } = useProjects()
  const counts = useMemo(() => countProtocols(services), [services])
  return (
    <div className="tools" role="search" aria-label="Services">
      <SearchBox
        label="Filter services"
        placeholder="Name, host, port, address"
        value={filters.q}
        onChange={q => change({ q })}
      />
      <ProtocolChoice value={filters.protocol} onChange={protocol => change({ protocol })} counts={counts} />
      <VerdictMenu value={filters.verdicts} onChange={verdicts => change({ verdicts })} />
      {projects !== undefined && projects.length > 1 && (
        <ChoiceMenu
          label="Project"
          icon={Users}
          options={projects.map(({ id, name }) => [id, name] as const)}
          value={filters.project}
          onChange={project => change({ project })}
        />
      )}
      {(filters.verdicts.length > 0 || filters.project !== null) && (
        <Button kind="quiet" onClick={() => change({ verdicts: [], project: null })}>
          Clear
        </Button>
      )}
    </div>
  )
}

type NothingFoundProps = {
  readonly filters: Filters
  readonly all: readonly ListedService[]
  readonly clear: () => void
}

/** Says what is nearest to what was typed, and that other filters are on, too. */
function NothingFound({ filters, all, clear }: NothingFoundProps): ReactElement {
  const projectNames = useProjectNames()
  const near = nearestNames(
    filters.q,
    all.map(({ service }) => service.name),
  )
  const others = [
    filters.protocol === 'all' ? null : filters.protocol.toUpperCase(),
    filters.verdicts.length === 0 ? null : filters.verdicts.map(one => lookOf(one).word).join(' or '),
    filters.project === null ? null : `project ${projectNames.get(filters.project) ?? filters.project}`,
  ].filter(one => one !== null)
  return (
    <NoMatch title={filters.q === '' ? 'No service is like that' : `No service matches “${filters.q}”`} onClear={clear}>
      {near.length > 0 && (
        <>
          Closest:{' '}
          {near.map((name, at) => {
            const service = all.find(one => one.service.name === name)?.service
            return (
              <span key={name}>
                {at > 0 && ', '}
                <Link className="link" href={service === undefined ? PATHS.services : href.service(service.id)}>
                  {name}
                </Link>
              </span>
            )
          })}
          .{' '}
        </>
      )}
      {others.length > 0 && (
        <>
          Only {others.join(', ')} {others.length === 1 ? 'is' : 'are'} asked for.
        </>
      )}
    </NoMatch>
  )
}
