/**
 * What lives as long as the page: the client, the cache, the link. Made once in main.tsx and handed down by `RuntimeContext`.
 *
 * While the link is up, what is in the cache is current: events say what has changed, and only that is fetched again. So nothing goes
 * stale by time. When the link comes back, everything that is shown is fetched again before any verdict is believed.
 */
import { QueryClient } from '@tanstack/react-query'
import { API, type Client, createClient } from './client.ts'
import { createLinkStore, type LinkStore } from './link-store.ts'
import { CallError } from './problem.ts'
import { createRefresh } from './refresh.ts'

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

  const refresh = createRefresh(client, queries)
  return { client, queries, link: createLinkStore({ url: `${API}/events`, refetchAll, refresh }) }
}
