/** Names of things by their id, from what is in the cache. */
import { useMemo } from 'react'
import { useNodes, useProjects, useRouteRows, useServiceRows } from './queries.ts'

/** Of services, their ports and nodes: what an audit row speaks of. */
export function useServiceNames(): ReadonlyMap<string, string> {
  const { data: services } = useServiceRows()
  const { data: routes } = useRouteRows()
  const { data: nodes } = useNodes()
  return useMemo(
    () =>
      new Map([...(routes ?? []), ...(services ?? []), ...(nodes ?? [])].map(({ id, name }) => [id, name] as const)),
    [services, routes, nodes],
  )
}

export function useProjectNames(): ReadonlyMap<string, string> {
  const { data } = useProjects()
  return useMemo(() => new Map((data ?? []).map(({ id, name }) => [id, name] as const)), [data])
}
