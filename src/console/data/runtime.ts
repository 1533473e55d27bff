/**
 * What lives as long as the page: the client, the cache, the link. Made once in main.tsx and handed down by `RuntimeContext`.
 *
 * While the link is up, what is in the cache is current: events say what has changed, and only that is fetched again. So nothing goes
 * stale by time. When the link comes back, everything that is shown is fetched again before any verdict is believed.
 */
import { QueryCache, QueryClient } from '@tanstack/react-query'
import { API, type Client, createClient } from './client.ts'
import { keys } from './keys.ts'
import { createLinkStore, type LinkStore } from './link-store.ts'
import { CallError, isPassing } from './problem.ts'
import { createRefresh } from './refresh.ts'

export type Runtime = {
  readonly client: Client
  readonly queries: QueryClient
  readonly link: LinkStore
}

/** What did not come is asked for again, as long as somebody looks at the place where it would stand. */
const BROKEN_REFRESH_MS = 5_000

/** For `refetchInterval`: false unless the last answer was one that may be another soon. */
export const whileBroken = ({ state }: { readonly state: { readonly error: unknown } }): number | false =>
  isPassing(state.error) && BROKEN_REFRESH_MS

/** Too many calls are not made fewer by trying at once. */
const isWorthRetrying = (error: unknown): boolean =>
  isPassing(error) && error instanceof CallError && error.fault.status !== 429

/** Of these verdicts are made: what is old of them must not be shown as known. */
const TELLING: ReadonlySet<unknown> = new Set([keys.overview, keys.allServices, keys.allRoutes, keys.allNodes].flat())

export function createRuntime({ onSignedOut }: { readonly onSignedOut: () => void }): Runtime {
  const client = createClient({ fetch: globalThis.fetch.bind(globalThis), now: Date.now, onSignedOut })
  const queries = new QueryClient({
    queryCache: new QueryCache({
      onError(error, { queryKey, state }) {
        if (state.data !== undefined && isPassing(error) && TELLING.has(queryKey[0])) link.doubt()
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: Number.POSITIVE_INFINITY,
        gcTime: 30 * 60_000,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        // Whether we are connected is for the link to say, not for the browser.
        networkMode: 'always',
        retry: (failures, error) => isWorthRetrying(error) && failures < 2,
        retryDelay: failures => 400 * 2 ** failures,
        refetchInterval: whileBroken,
      },
      mutations: { networkMode: 'always', retry: false },
    },
  })

  async function refetchAll(): Promise<void> {
    // What nobody looks at is fetched when somebody does.
    await queries.invalidateQueries()
    // One that is answered is known, be it that the thing is gone or that one may not see it any more.
    const broken = queries.getQueryCache().findAll({ type: 'active', predicate: ({ state }) => isPassing(state.error) })
    if (broken.length > 0) throw broken[0]?.state.error
  }

  const refresh = createRefresh(client, queries)
  const link = createLinkStore({ url: `${API}/events`, refetchAll, refresh })
  return { client, queries, link }
}
