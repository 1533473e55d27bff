/** Whether the window is one of a telephone: then the page is another one, not the same one made small. */
import { useSyncExternalStore } from 'react'

const NARROW = '(max-width: 760px)'

export function useIsNarrow(): boolean {
  return useSyncExternalStore(
    listener => {
      const query = matchMedia(NARROW)
      query.addEventListener('change', listener)
      return () => query.removeEventListener('change', listener)
    },
    () => matchMedia(NARROW).matches,
  )
}
