/** What is read, for a page: `useQuery`, except that a fault stays until there is an answer. What is asked for again does not flicker. */
import { hashKey, type QueryKey, type UseQueryOptions, useQuery } from '@tanstack/react-query'
import { useRef } from 'react'

export type Asked<T> = {
  readonly data: T | undefined
  readonly error: Error | null
  readonly refetch: () => unknown
}

export function useAsked<T>(options: UseQueryOptions<T> & { readonly queryKey: QueryKey }): Asked<T> {
  const { data, error, refetch } = useQuery(options)
  return { data, error: useLastFault(hashKey(options.queryKey), data, error), refetch }
}

/** The fault that there is, or the last one of the same key as long as nothing has come since. */
export function useLastFault(key: string, data: unknown, error: Error | null): Error | null {
  const last = useRef<{ readonly key: string; readonly error: Error } | null>(null)
  if (error !== null) last.current = { key, error }
  else if (data !== undefined || last.current?.key !== key) last.current = null
  return last.current?.error ?? null
}
