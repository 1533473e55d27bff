import { QueryClient } from '@tanstack/react-query'
import { expect, test } from 'vitest'
import type { Client } from '../../src/console/data/client.ts'
import type { RefreshPlan } from '../../src/console/data/events.ts'
import { keys } from '../../src/console/data/keys.ts'
import { createRefresh } from '../../src/console/data/refresh.ts'

const ROUTE: RefreshPlan = { routes: ['prt_1'], services: [], nodes: [], declared: false }

/** A control plane whose answers are given one by one, in any order. */
function startQueries() {
  const waiting: { readonly path: string; readonly answer: (data: unknown) => void }[] = []
  const ask = (path: string): Promise<never> =>
    new Promise<never>(resolve => {
      waiting.push({ path, answer: data => resolve({ data } as never) })
    })
  const client: Client = { get: ask, send: (_method, path) => ask(path), list: ask }
  const queries = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  })
  return { waiting, client, queries, refresh: createRefresh(client, queries) }
}

const routeWith = (verdict: string) => ({ id: 'prt_1', verdict, nodes: [] })
const tick = () => new Promise(resolve => setImmediate(resolve))

test('an older answer about a row does not undo a newer one', async () => {
  const { waiting, queries, refresh } = startQueries()
  queries.setQueryData(keys.routeRows, [{ id: 'prt_1', verdict: 'unknown' }])
  refresh(ROUTE)
  refresh(ROUTE)
  expect(waiting.map(({ path }) => path)).toEqual(['/routes/prt_1', '/routes/prt_1'])
  waiting[1]?.answer(routeWith('live'))
  await tick()
  waiting[0]?.answer(routeWith('pending'))
  await tick()
  expect(queries.getQueryData(keys.routeRows)).toEqual([expect.objectContaining({ id: 'prt_1', verdict: 'live' })])
})

test('a list that is on its way when an event comes is asked for again', async () => {
  const { waiting, queries, refresh, client } = startQueries()
  const list = async () => (await client.get<string>('/routes')).data
  const first = queries.fetchQuery({ queryKey: keys.routeRows, queryFn: list })
  const observed = queries.getQueryCache().find({ queryKey: keys.routeRows, exact: true })
  await tick()
  refresh(ROUTE)
  expect(waiting.length).toBe(1)
  waiting[0]?.answer('as it was before')
  expect(await first).toBe('as it was before')
  await tick()
  expect(observed?.state.isInvalidated).toBe(true)
})
