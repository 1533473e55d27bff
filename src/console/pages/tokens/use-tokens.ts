/** The API tokens that the person may see. */
import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { Token } from '../../../api/token.ts'
import { keys } from '../../data/keys.ts'
import { useClient } from '../../data/runtime-context.tsx'

/** Tokens make no event: what is older than this is asked for again when the page is opened. */
const FRESH_MS = 10_000

export function useTokens(): UseQueryResult<readonly Token[]> {
  const client = useClient()
  return useQuery({
    queryKey: keys.tokens,
    staleTime: FRESH_MS,
    queryFn: ({ signal }) => client.list<Token>('/tokens', signal),
  })
}
