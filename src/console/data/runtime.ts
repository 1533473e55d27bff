/**
 * What lives as long as the page: the client, the cache, the link. Made once in main.tsx and handed down by `RuntimeContext`.
 *
 * While the link is up, what is in the cache is current: events say what has changed, and only that is fetched again. So nothing goes
 * stale by time. When the link comes back, everything that is shown is fetched again before any verdict is believed.
 */
import { QueryClient } from '@tanstack/react-query'
import type { Route, RouteRow } from '../../api/route.ts'
import type { Service, ServiceRow } from '../../api/service.ts'
import { API, type Client, createClient } from './client.ts'
import { patchRows, type RefreshPlan } from './events.ts'
import { keys } from './keys.ts'
import { createLinkStore, type LinkStore } from './link-store.ts'
import { CallError } from './problem.ts'
import { rowOfRoute, rowOfService } from './rows.ts'

export type Runtime = {
  readonly client: Client
  readonly queries: QueryClient
  readonly link: LinkStore
}

/** Tried again: no answer, or one that says that the server cannot work now. */
const isPassing = (error: unknown): boolean =>
  error instanceof CallError && (error.fault.status === null || error.fault.status >= 500)

export function createRuntime({ onSignedOut }: { readonly onSignedOut: () => void }): Runtime {
  const client = createClient({ fetch: globalThis.fetch.bind(globalThis), now: Date.now, onSignedOut })
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Number.POSITIVE_INFINITY,
        gcTime: 30 * 60_000,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        // Whether we are connected is for the link to say, not for the browser.
        networkMode: 'always',
        retry: (failures, error) => isPassing(error) && failures < 2,
        retryDelay: failures => 400 * 2 ** failures,
      },
      mutations: { networkMode: 'always', retry: false },
    },
  })

  async function refetchAll(): Promise<void> {
    // What nobody looks at is fetched when somebody does.
    await queries.invalidateQueries({}, { throwOnError: true })
  }

  const invalidate = (queryKey: readonly unknown[]): void => void queries.invalidateQueries({ queryKey })

  /** Puts some rows of a list in place; when one cannot be fetched, the list is fetched anew. */
  async function patch<Whole, Row extends { readonly id: string }>(
    listKey: readonly unknown[],
    ids: readonly string[],
    fetchOne: (id: string) => Promise<Whole | null>,
    rowOf: (whole: Whole) => Row,
  ): Promise<void> {
    if (ids.length === 0 || queries.getQueryData(listKey) === undefined) return
    try {
      const found = await Promise.all(ids.map(async id => [id, await fetchOne(id)] as const))
      const rows = new Map(found.map(([id, whole]) => [id, whole === null ? null : rowOf(whole)] as const))
      queries.setQueryData<readonly Row[]>(listKey, before => before && patchRows(before, rows))
    } catch {
      invalidate(listKey)
    }
  }

  /** Null: it is gone. */
  async function fetchOrGone<T>(path: string): Promise<T | null> {
    try {
      return (await client.get<T>(path)).data
    } catch (error) {
      if (error instanceof CallError && error.fault.status === 404) return null
      throw error
    }
  }

  function refresh(plan: RefreshPlan): void {
    if (plan.routes === null) invalidate(keys.allRoutes)
    else {
      for (const id of plan.routes) invalidate(keys.route(id))
      const fetchOne = (id: string) => fetchOrGone<Route>(`/routes/${id}`)
      void patch<Route, RouteRow>(keys.routeRows, plan.routes, fetchOne, rowOfRoute)
    }
    if (plan.services === null) invalidate(keys.allServices)
    else {
      for (const id of plan.services) invalidate(keys.service(id))
      const fetchOne = (id: string) => fetchOrGone<Service>(`/services/${id}`)
      void patch<Service, ServiceRow>(keys.serviceRows, plan.services, fetchOne, rowOfService)
    }
    if (plan.nodes === null || plan.nodes.length > 0) invalidate(keys.allNodes)
    invalidate(keys.overview)
    if (plan.declared) for (const key of [keys.allPools, keys.projects, keys.allAudit]) invalidate(key)
  }

  return { client, queries, link: createLinkStore({ url: `${API}/events`, refetchAll, refresh }) }
}
