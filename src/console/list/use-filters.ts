/**
 * The filters of a list live in the address, so that a link leads to what one sees, and a reload or a new sign-in keeps it.
 *
 *   const [filters, change] = useFilters(filtersOf, paramsOf)
 *   change({ q: 'orders' })
 */
import { useMemo } from 'react'
import { useLocation, useSearch } from 'wouter'

export type ChangeFilters<Filters> = (part: Partial<Filters>) => void

/** `read` and `write` are pure and stay the same. A change makes no step back: Back leads to the page before. */
export function useFilters<Filters extends object>(
  read: (params: URLSearchParams) => Filters,
  write: (filters: Filters) => URLSearchParams,
): readonly [Filters, ChangeFilters<Filters>] {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const filters = useMemo(() => read(new URLSearchParams(search)), [read, search])
  const change: ChangeFilters<Filters> = part => {
    const params = write({ ...filters, ...part }).toString()
    navigate(params === '' ? path : `${path}?${params}`, { replace: true })
  }
  return [filters, change]
}
