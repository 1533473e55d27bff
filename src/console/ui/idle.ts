/** When the page has nothing more urgent to do. */
import { useEffect, useState } from 'react'

const AT_LAST_MS = 5_000
/** Safari has no requestIdleCallback. */
const INSTEAD_MS = 1_500

/** Calls once; answers how to call it off. */
export function whenIdle(act: () => void): () => void {
  if (typeof requestIdleCallback === 'function') {
    const handle = requestIdleCallback(act, { timeout: AT_LAST_MS })
    return () => cancelIdleCallback(handle)
  }
  const timer = setTimeout(act, INSTEAD_MS)
  return () => clearTimeout(timer)
}

export function useIsIdle(): boolean {
  const [isIdle, setIdle] = useState(false)
  useEffect(() => whenIdle(() => setIdle(true)), [])
  return isIdle
}
