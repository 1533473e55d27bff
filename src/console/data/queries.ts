/**
 * What pages read. Each hook is one thing of the control plane; events keep it current (runtime.ts), so a page never polls.
 *
 *   const services = useServiceRows()
 *   if (services.data === undefined) return services.error ? <ErrorCard ... /> : <Skeleton ... />
 *
 * A verdict that comes out of these is what was said last. To show it, ask verdict/use-standing.ts what may be said of it now.
 */
import type { Node } from '../../api/node.ts'
import type { Overview } from '../../api/overview.ts'
import type { Pool, PoolPort } from '../../api/pool.ts'
import type { Project } from '../../api/project.ts'
import type { Route, RouteRow, VerdictHistory } from '../../api/route.ts'
import type { Preset, Service, ServiceRow } from '../../api/service.ts'
import type { Session } from '../../api/session.ts'
import { type Asked, useAsked } from './asked.ts'
import type { Answer } from './client.ts'
import { keys } from './keys.ts'
import { ROUTE_FIELDS, SERVICE_FIELDS } from './rows.ts'
import { whileBroken } from './runtime.ts'
import { useClient } from './runtime-context.tsx'

/** Reports come every 30 s, and that one has come is no event: so this is asked for, to know how long ago it was. */
const NODES_REFRESH_MS = 30_000

/** That a number has rested enough is no event, either: time and the nodes decide it. Asked for only while one rests. */
const RESTING_REFRESH_MS = 5_000

export function useOverview(): Asked<Overview> {
  const client = useClient()
  return useAsked({
    queryKey: keys.overview,
    queryFn: async ({ signal }) => (await client.get<Overview>('/overview', signal)).data,
  })
}

/** `enabled`: as with useRouteRows. */
export function useServiceRows(enabled = true): Asked<readonly ServiceRow[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.serviceRows,
    enabled,
    queryFn: ({ signal }) => client.list<ServiceRow>(`/services?fields=${SERVICE_FIELDS}`, signal),
  })
}

/** With its ETag, for PATCH and DELETE. */
export function useService(id: string): Asked<Answer<Service>> {
  const client = useClient()
  return useAsked({
    queryKey: keys.service(id),
    queryFn: ({ signal }) => client.get<Service>(`/services/${encodeURIComponent(id)}`, signal),
  })
}

/** `enabled`: false reads what is there and asks for nothing. */
export function useRouteRows(enabled = true): Asked<readonly RouteRow[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.routeRows,
    enabled,
    queryFn: ({ signal }) => client.list<RouteRow>(`/routes?fields=${ROUTE_FIELDS}`, signal),
  })
}

export function useRouteDetail(id: string): Asked<Route> {
  const client = useClient()
  return useAsked({
    queryKey: keys.route(id),
    queryFn: async ({ signal }) => (await client.get<Route>(`/routes/${encodeURIComponent(id)}`, signal)).data,
  })
}

export function useRouteHistory(id: string): Asked<VerdictHistory> {
  const client = useClient()
  return useAsked({
    queryKey: keys.routeHistory(id),
    queryFn: async ({ signal }) =>
      (await client.get<VerdictHistory>(`/routes/${encodeURIComponent(id)}/history?limit=50`, signal)).data,
  })
}

/** All of them: there are few. */
export function useNodes(): Asked<readonly Node[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.nodeRows,
    queryFn: ({ signal }) => client.list<Node>('/nodes', signal),
    refetchInterval: query => whileBroken(query) || NODES_REFRESH_MS,
  })
}

/** With its ETag, for PATCH and DELETE. */
export function useNode(id: string): Asked<Answer<Node>> {
  const client = useClient()
  return useAsked({
    queryKey: keys.node(id),
    queryFn: ({ signal }) => client.get<Node>(`/nodes/${encodeURIComponent(id)}`, signal),
  })
}

export function usePools(): Asked<readonly Pool[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.poolList,
    queryFn: async ({ signal }) => (await client.get<{ items: readonly Pool[] }>('/pools', signal)).data.items,
    refetchInterval: query =>
      whileBroken(query) || (query.state.data?.some(({ resting }) => resting > 0) === true && RESTING_REFRESH_MS),
  })
}

export function usePoolPorts(protocol: 'tcp' | 'udp'): Asked<readonly PoolPort[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.poolPorts(protocol),
    queryFn: async ({ signal }) =>
      (await client.get<{ items: readonly PoolPort[] }>(`/pools/${protocol}/ports`, signal)).data.items,
    refetchInterval: query =>
      whileBroken(query) || (query.state.data?.some(({ state }) => state === 'resting') === true && RESTING_REFRESH_MS),
  })
}

export function useProjects(): Asked<readonly Project[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.projects,
    queryFn: ({ signal }) => client.list<Project>('/projects', signal),
  })
}

export function usePresets(): Asked<readonly Preset[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.presets,
    queryFn: async ({ signal }) => (await client.get<{ items: readonly Preset[] }>('/presets', signal)).data.items,
  })
}

export function useSession(): Asked<Session> {
  const client = useClient()
  return useAsked({
    queryKey: keys.session,
    queryFn: async ({ signal }) => (await client.get<Session>('/sessions/current', signal)).data,
  })
}
