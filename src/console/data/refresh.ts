/**
 * Does what events say: asks again for what may have changed. What was asked for before an event is as old as before it, so an answer
 * that is still on its way is not waited for, or is asked for once more: else `pending` could stay on a page that was told `live`.
 */
import type { QueryClient } from '@tanstack/react-query'
import type { Route, RouteRow } from '../../api/route.ts'
import type { Service, ServiceRow } from '../../api/service.ts'
import type { Client } from './client.ts'
import { patchRows, type RefreshPlan } from './events.ts'
import { keys } from './keys.ts'
import { CallError } from './problem.ts'
import { rowOfRoute, rowOfService } from './rows.ts'

export function createRefresh(client: Client, queries: QueryClient): (plan: RefreshPlan) => void {
  // By list and id: which patch of a row was begun last. An older one that answers later is dropped.
  const begun = new Map<string, number>()
  let count = 0

  function invalidate(queryKey: readonly unknown[]): void {
    // A first answer that is on its way is not given up for a new one, so it is asked for once more after it has come.
    const first = queries
      .getQueryCache()
      .findAll({ queryKey, fetchStatus: 'fetching' })
      .filter(({ state }) => state.data === undefined)
    void queries.invalidateQueries({ queryKey })
    for (const query of first) {
      const again = (): void => void queries.invalidateQueries({ queryKey: query.queryKey, exact: true })
      query.promise?.then(again, () => undefined)
    }
  }

  /** Puts some rows of a list in place; when one cannot be fetched, or the whole list is on its way, the list is fetched anew. */
  async function patch<Whole, Row extends { readonly id: string }>(
    listKey: readonly unknown[],
    ids: readonly string[],
    fetchOne: (id: string) => Promise<Whole | null>,
    rowOf: (whole: Whole) => Row,
  ): Promise<void> {
    const query = queries.getQueryCache().find({ queryKey: listKey, exact: true })
    if (ids.length === 0 || query === undefined) return
    if (query.state.fetchStatus === 'fetching') return invalidate(listKey)
    if (query.state.data === undefined) return
    count += 1
    const own = count
    const nameOf = (id: string): string => `${listKey.join(' ')} ${id}`
    for (const id of ids) begun.set(nameOf(id), own)
    try {
      const found = await Promise.all(ids.map(async id => [id, await fetchOne(id)] as const))
      const rows = new Map(
        found
          .filter(([id]) => begun.get(nameOf(id)) === own)
          .map(([id, whole]) => [id, whole === null ? null : rowOf(whole)] as const),
      )
      queries.setQueryData<readonly Row[]>(listKey, before => before && patchRows(before, rows))
    } catch {
      invalidate(listKey)
    } finally {
      for (const id of ids) if (begun.get(nameOf(id)) === own) begun.delete(nameOf(id))
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

  return plan => {
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
    if (plan.declared) for (const key of [keys.allPools, keys.projects]) invalidate(key)
    // A change stands there with the time until it was live, which comes with the verdicts.
    if (plan.declared || plan.routes === null || plan.routes.length > 0) invalidate(keys.allAudit)
  }
}
