/** A page that one goes back to is where one left it; a page that one goes to begins at its top. */
import { useEffect, useLayoutEffect, useRef } from 'react'
import { useLocation } from 'wouter'
import { placeOf } from '../places.ts'

/** A drawer is over its page, so that the page has one place for both. */
function placeKey(path: string): string {
  const place = placeOf(path)
  if (place === null) return path
  if (place.name === 'newService') return '/services'
  return place.name === 'editPort' || place.name === 'newPort' ? `/services/${place.params.id}` : path
}

export function useScrollMemory(): void {
  const [path] = useLocation()
  const key = placeKey(path)
  const remembered = useRef(new Map<string, number>())
  const isBack = useRef(false)

  useEffect(() => {
    history.scrollRestoration = 'manual'
    const onPop = (): void => {
      isBack.current = true
    }
    // Before the router hears of it: it renders at once.
    addEventListener('popstate', onPop, { capture: true })
    return () => removeEventListener('popstate', onPop, { capture: true })
  }, [])

  useLayoutEffect(() => {
    const wanted = isBack.current ? (remembered.current.get(key) ?? 0) : 0
    isBack.current = false
    scrollTo(0, wanted)
    // The page's code or its rows may come a moment later.
    if (wanted > 0) requestAnimationFrame(() => scrollTo(0, wanted))
    const onScroll = (): void => {
      remembered.current.set(key, scrollY)
    }
    addEventListener('scroll', onScroll, { passive: true })
    return () => removeEventListener('scroll', onScroll)
  }, [key])
}
