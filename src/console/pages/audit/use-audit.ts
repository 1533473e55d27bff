/** The audit log, page by page, newest first; and all of what a filter finds, for a file. */
import { type InfiniteData, type UseInfiniteQueryResult, useInfiniteQuery } from '@tanstack/react-query'
import type { AuditRow, AuditPage as Page } from '../../../api/audit.ts'
import { keys } from '../../data/keys.ts'
import { useClient } from '../../data/runtime-context.tsx'

export type AuditFilters = {
  readonly q: string
  /** Of a resource: `service`; null: any. */
  readonly what: string | null
  /** Days back; null: without end. */
  readonly days: string | null
  readonly who: string | null
}

export const WHAT = [
  ['service', 'Services'],
  ['port', 'Ports'],
  ['node', 'Nodes'],
  ['project', 'Projects'],
  ['token', 'API tokens'],
  ['session', 'Sign-ins'],
] as const

export const DAYS = [
  ['1', 'Last 24 hours'],
  ['7', 'Last 7 days'],
  ['30', 'Last 30 days'],
] as const

const DAY_MS = 86_400_000
const PAGE = 100

const oneOf = (options: readonly (readonly [string, string])[], text: string | null): string | null =>
  options.find(([value]) => value === text)?.[0] ?? null

export const auditFiltersOf = (params: URLSearchParams): AuditFilters => ({
  q: params.get('q') ?? '',
  what: oneOf(WHAT, params.get('what')),
  days: oneOf(DAYS, params.get('days')),
  who: params.get('who'),
})

export function auditParamsOf({ q, what, days, who }: AuditFilters): URLSearchParams {
  const params = new URLSearchParams()
  if (q !== '') params.set('q', q)
  if (what !== null) params.set('what', what)
  if (days !== null) params.set('days', days)
  if (who !== null) params.set('who', who)
  return params
}

/** What the control plane filters; the search is in what has come. */
export function auditQuery({ what, days, who }: AuditFilters, now: number): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) })
  if (what !== null) query.set('resourceKind', what)
  if (who !== null) query.set('actorId', who)
  // To the minute, so that the same question is asked again and not another one each millisecond.
  if (days !== null)
    query.set('since', new Date(Math.floor((now - Number(days) * DAY_MS) / 60_000) * 60_000).toISOString())
  return query
}

export function useAudit(filters: AuditFilters): UseInfiniteQueryResult<InfiniteData<Page>> {
  const client = useClient()
  const { what, days, who } = filters
  return useInfiniteQuery({
    queryKey: keys.audit({ what, days, who }),
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const query = auditQuery(filters, Date.now())
      if (pageParam !== '') query.set('cursor', pageParam)
      return (await client.get<Page>(`/audit?${query}`, signal)).data
    },
    getNextPageParam: page => page.nextCursor,
  })
}

/** Everything that the filter finds, for the file: page by page, for the log may be long. */
export function useAllAudit(): (filters: AuditFilters) => Promise<readonly AuditRow[]> {
  const client = useClient()
  return filters => {
    const query = auditQuery(filters, Date.now())
    query.delete('limit')
    return client.list<AuditRow>(`/audit?${query}`)
  }
}
