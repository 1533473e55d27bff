/** Every change by day, newest first. */
import { hashKey } from '@tanstack/react-query'
import { Clock, ListFilter, Users } from 'lucide-react'
import { type ReactElement, useEffect, useMemo, useState } from 'react'
import type { AuditRow as Row } from '../../../api/audit.ts'
import { useLastFault } from '../../data/asked.ts'
import { keys } from '../../data/keys.ts'
import { useServiceNames } from '../../data/names.ts'
import { useRouteRows } from '../../data/queries.ts'
import { groupBy } from '../../data/rows.ts'
import { ChoiceMenu } from '../../list/choice-menu.tsx'
import { ToolsSkeleton } from '../../list/list-skeleton.tsx'
import { SearchBox } from '../../list/search-box.tsx'
import { type ChangeFilters, useFilters } from '../../list/use-filters.ts'
import { Page, PageHead } from '../../shell/page.tsx'
import { announceCount } from '../../ui/announce.ts'
import { Button } from '../../ui/button.tsx'
import { Bar, Empty, ErrorCard, faultOf, Loading, NoMatch } from '../../ui/states.tsx'
import { toast } from '../../ui/toast.tsx'
import { worstStanding } from '../../verdict/standing.ts'
import { useRowStanding } from '../../verdict/use-standing.ts'
import { counted } from '../../words/count.ts'
import { findRows, makeIndex } from '../../words/search.ts'
import { AuditRow } from './audit-row.tsx'
import { auditCsv, auditSentence, byDay, newestOfEach } from './audit-words.ts'
import { type AuditFilters, auditFiltersOf, auditParamsOf, DAYS, useAllAudit, useAudit, WHAT } from './use-audit.ts'
import './audit.css'

export function AuditPage(): ReactElement {
  const [filters, change] = useFilters(auditFiltersOf, auditParamsOf)
  return (
    <Page title="Audit" action={<ExportAction filters={filters} />}>
      <div className="stack g4">
        <PageHead title="Audit">
          Every change, who made it, and how long it took to be live. Rows are written with the change itself and never
          altered.
        </PageHead>
        <Log filters={filters} change={change} />
      </div>
    </Page>
  )
}

function Log({
  filters,
  change,
}: {
  readonly filters: AuditFilters
  readonly change: ChangeFilters<AuditFilters>
}): ReactElement {
  const audit = useAudit(filters)
  const { what, days, who } = filters
  const fault = useLastFault(hashKey(keys.audit({ what, days, who })), audit.data, audit.error)
  const names = useServiceNames()
  const rows = useMemo(() => (audit.data?.pages ?? []).flatMap(page => page.items), [audit.data])
  const index = useMemo(() => makeIndex(rows, row => searched(row, names)), [rows, names])
  const found = useMemo(() => findRows(index, filters.q), [index, filters.q])
  const isFiltered = auditParamsOf(filters).size > 0
  useEffect(() => {
    if (filters.q !== '') announceCount(counted(found.length, 'change'))
  }, [found.length, filters.q])
  const clear = (): void => change({ q: '', what: null, days: null, who: null })

  if (audit.data === undefined)
    return fault === null ? (
      <Loading what="changes">
        <Skeleton />
      </Loading>
    ) : (
      <ErrorCard error={fault} what="The log" onRetry={() => void audit.refetch()} />
    )
  if (rows.length === 0 && !isFiltered)
    return (
      <Empty title="Nothing has been changed yet" command="fairlead expose 10.200.1.5:5432 --wait">
        The first change will stand here, with who made it.
      </Empty>
    )
  return (
    <>
      <Tools {...{ filters, change, rows }} />
      {found.length === 0 ? (
        <NoMatch
          title={filters.q === '' ? 'No change is like that' : `No change matches “${filters.q}”`}
          onClear={clear}
        >
          {audit.hasNextPage ? 'Only the newest changes were searched; older ones can be loaded without a search.' : ''}
        </NoMatch>
      ) : (
        <Days rows={found} names={names} />
      )}
      {audit.hasNextPage && (
        <div className="row audit-more">
          <Button disabled={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
            Load older changes
          </Button>
        </div>
      )}
    </>
  )
}

function searched(row: Row, names: ReadonlyMap<string, string>): readonly (string | null)[] {
  const { verb, name, rest } = auditSentence(row, names)
  const { actor, action, resource, requestId } = row
  return [actor.name, actor.id, verb, name, rest, action, resource.id, requestId]
}

function Days({
  rows,
  names,
}: {
  readonly rows: readonly Row[]
  readonly names: ReadonlyMap<string, string>
}): ReactElement {
  const days = useMemo(() => byDay(rows, new Date()), [rows])
  const newest = useMemo(() => newestOfEach(rows), [rows])
  const { data: routes } = useRouteRows()
  const standingOf = useRowStanding()
  // A port is a route by its id; a service is as the worst of its routes.
  const byRoute = useMemo(() => groupBy(routes ?? [], ({ id }) => id), [routes])
  const byService = useMemo(() => groupBy(routes ?? [], ({ serviceId }) => serviceId), [routes])
  return (
    <div>
      {days.map(({ day, rows: ofDay }) => (
        <section key={day} aria-label={day}>
          <h2 className="day">{day}</h2>
          <ul className="au">
            {ofDay.map(row => {
              const its = newest.has(row.id)
                ? (byRoute.get(row.resource.id) ?? byService.get(row.resource.id))
                : undefined
              const standing = its === undefined ? null : worstStanding(its.map(standingOf))
              return <AuditRow key={row.id} row={row} names={names} standing={standing} />
            })}
          </ul>
        </section>
      ))}
    </div>
  )
}

type ToolsProps = {
  readonly filters: AuditFilters
  readonly change: ChangeFilters<AuditFilters>
  readonly rows: readonly Row[]
}

function Tools({ filters, change, rows }: ToolsProps): ReactElement {
  const actors = useMemo(
    () => [...new Map(rows.map(({ actor }) => [actor.id, actor.name ?? actor.id] as const))].slice(0, MOST_ACTORS),
    [rows],
  )
  return (
    <div className="tools" role="search" aria-label="Changes">
      <SearchBox
        label="Search the changes"
        placeholder="Service, person, port, code"
        value={filters.q}
        onChange={q => change({ q })}
      />
      <ChoiceMenu label="Who" icon={Users} options={actors} value={filters.who} onChange={who => change({ who })} />
      <ChoiceMenu
        label="What"
        icon={ListFilter}
        options={WHAT}
        value={filters.what}
        onChange={what => change({ what })}
      />
      <ChoiceMenu label="When" icon={Clock} options={DAYS} value={filters.days} onChange={days => change({ days })} />
      {(filters.who !== null || filters.what !== null || filters.days !== null) && (
        <Button kind="quiet" onClick={() => change({ who: null, what: null, days: null })}>
          Clear
        </Button>
      )}
    </div>
  )
}

const MOST_ACTORS = 30

function ExportAction({ filters }: { readonly filters: AuditFilters }): ReactElement {
  const all = useAllAudit()
  const [isBusy, setBusy] = useState(false)
  const save = async (): Promise<void> => {
    setBusy(true)
    try {
      const url = URL.createObjectURL(new Blob([auditCsv(await all(filters))], { type: 'text/csv' }))
      const link = document.createElement('a')
      link.href = url
      link.download = `fairlead-audit-${new Date().toISOString().slice(0, 10)}.csv`
      link.click()
      URL.revokeObjectURL(url)
    } catch (error) {
      const { message, remedy } = faultOf(error)
      toast({ text: `${message} ${remedy}`, tone: 'wrong' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button disabled={isBusy} onClick={() => void save()}>
      Export<span className="hide-sm"> CSV</span>
    </Button>
  )
}

function Skeleton(): ReactElement {
  return (
    <>
      <ToolsSkeleton />
      <h2 className="day">
        <Bar width={3} />
      </h2>
      <ul className="au loading">
        {[18, 22, 15, 24, 19, 21].map((width, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
          <li key={at}>
            <Bar width={4} />
            <Bar width={1.5} />
            <Bar width={6} />
            <Bar width={width} />
          </li>
        ))}
      </ul>
    </>
  )
}
