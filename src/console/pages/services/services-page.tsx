/** All services: a virtual table, filtered in memory, every filter in the address. The drawer that exposes one lies over it. */
import { ListFilter, Search, Users } from 'lucide-react'
import { lazy, type ReactElement, Suspense, useEffect, useMemo } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { useProjectNames } from '../../data/names.ts'
import { useProjects, useRouteRows, useServiceRows } from '../../data/queries.ts'
import type { PageProps } from '../../pages.tsx'
import { href, PATHS } from '../../places.ts'
import { ExposeAction, Page, PageHead } from '../../shell/page.tsx'
import { announceCount } from '../../ui/announce.ts'
import { Button } from '../../ui/button.tsx'
import { Segments } from '../../ui/controls.tsx'
import { useHeldOrder } from '../../ui/held-order.ts'
import { Icon } from '../../ui/icon.tsx'
import { LazyMenu } from '../../ui/lazy-menu.tsx'
import { Bar, Empty, ErrorCard, Loading, NoMatch } from '../../ui/states.tsx'
import { useChangedKeys, VirtualTable } from '../../ui/virtual-table.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import { useRowStanding } from '../../verdict/use-standing.ts'
import { LEGEND, lookOf } from '../../verdict/verdict.ts'
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
                <Skeleton />
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

/** The filters of the address, and how to change some of them. A change makes no step back: Back leads to the page before. */
function useFilters(): readonly [Filters, (change: Partial<Filters>) => void] {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const filters = useMemo(() => filtersOf(new URLSearchParams(search)), [search])
  const change = (part: Partial<Filters>): void => {
    const params = paramsOf({ ...filters, ...part }).toString()
    navigate(params === '' ? path : `${path}?${params}`, { replace: true })
  }
  return [filters, change]
}

function List(): ReactElement {
  const { data: services = [] } = useServiceRows()
  const { data: routes } = useRouteRows()
  const standingOf = useRowStanding()
  const [filters, change] = useFilters()

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
            <>
              <span>
                {isFiltered
                  ? `${grouped(rows.length)} of ${counted(services.length, 'service')}`
                  : counted(services.length, 'service')}
              </span>
              {moved > 0 && (
                <button type="button" className="link" onClick={release}>
                  {counted(moved, 'row')} moved: refresh order
                </button>
              )}
            </>
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

type ToolsProps = { readonly filters: Filters; readonly change: (change: Partial<Filters>) => void }

function Tools({ filters, change }: ToolsProps): ReactElement {
  const { data: services = [] } = useServiceRows()
  const { data: projects } = useProjects()
  const counts = useMemo(() => countProtocols(services), [services])
  return (
    <div className="tools" role="search" aria-label="Services">
      <div className="search">
        <Icon of={Search} />
        <input
          className="input"
          type="search"
          aria-label="Filter services"
          placeholder="Name, host, port, address"
          value={filters.q}
          onChange={event => change({ q: event.target.value })}
          onKeyDown={event => event.key === 'Escape' && filters.q !== '' && change({ q: '' })}
          spellCheck={false}
          autoComplete="off"
        />
        {filters.q === '' && (
          <kbd className="hide-sm" aria-hidden>
            /
          </kbd>
        )}
      </div>
      <Segments
        label="Protocol"
        value={filters.protocol}
        onChange={protocol => change({ protocol })}
        choices={[
          { value: 'all', label: 'All', count: grouped(counts.all) },
          { value: 'http', label: 'HTTP', count: grouped(counts.http) },
          { value: 'tcp', label: 'TCP', count: grouped(counts.tcp) },
          { value: 'udp', label: 'UDP', count: grouped(counts.udp) },
        ]}
      />
      <LazyMenu
        label="Verdict"
        icon={ListFilter}
        className="hide-sm"
        count={filters.verdicts.length}
        entries={LEGEND.map(verdict => {
          const isOn = filters.verdicts.includes(verdict)
          return {
            id: verdict,
            label: lookOf(verdict).word,
            lead: <Shape of={verdict} className={toneOf(verdict)} />,
            checked: isOn,
            onSelect: () =>
              change({
                verdicts: isOn ? filters.verdicts.filter(one => one !== verdict) : [...filters.verdicts, verdict],
              }),
          }
        })}
      />
      {projects !== undefined && projects.length > 1 && (
        <LazyMenu
          label="Project"
          icon={Users}
          className="hide-sm"
          count={filters.project === null ? 0 : 1}
          entries={projects.map(({ id, name }) => ({
            id,
            label: name,
            checked: filters.project === id,
            onSelect: () => change({ project: filters.project === id ? null : id }),
          }))}
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

function Skeleton(): ReactElement {
  const columns = ['Service', 'Address', 'Project', 'Nodes', 'Verdict', 'Changed']
  return (
    <div className="stack g4">
      <Bar width={16} />
      <div className="vt vt-loading">
        <div className="vt-head">
          <div className="vt-row">
            {columns.map(column => (
              <div className="vt-cell" key={column}>
                {column}
              </div>
            ))}
          </div>
        </div>
        {[5, 8, 7, 6, 5, 8, 7, 6, 5].map((width, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
          <div className="vt-row" key={at}>
            <div className="row g3">
              <span className="pi" />
              <Bar width={width} />
            </div>
            <Bar width={11} />
            <Bar width={4} />
            <Bar width={3} />
            <Bar width={4} />
            <Bar width={2.5} />
          </div>
        ))}
      </div>
    </div>
  )
}
