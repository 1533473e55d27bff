/** The API tokens that the person may see. */
import type { Token } from '../../../api/token.ts'
import { type Asked, useAsked } from '../../data/asked.ts'
import { keys } from '../../data/keys.ts'
import { useClient } from '../../data/runtime-context.tsx'

/** Tokens make no event: what is older than this is asked for again when the page is opened. */
const FRESH_MS = 10_000

export function useTokens(): Asked<readonly Token[]> {
  const client = useClient()
  return useAsked({
    queryKey: keys.tokens,
    staleTime: FRESH_MS,
    queryFn: ({ signal }) => client.list<Token>('/tokens', signal),
  })
}
