/** A page that one goes back to is where one left it; a page that one goes to begins at its top. */
import { useEffect, useLayoutEffect } from 'react'
import { type AroundNavHandler, useLocation } from 'wouter'
import { placeOf } from '../places.ts'

const remembered = new Map<string, number>()
/** Where a link or a button has just led; going back and forward leads nowhere, it only comes to pass. */
let ledTo: string | null = null

/** For the router: it tells every way that is taken by a link or a button. */
export const noteWay: AroundNavHandler = (navigate, to, options) => {
  ledTo = placeKey(to.split(/[?#]/, 1)[0] ?? '')
  navigate(to, options)
}

/** A drawer is over its page, so that both have one place. */
function placeKey(path: string): string {
  const place = placeOf(path)
  if (place === null) return path
  if (place.name === 'newService') return '/services'
  return place.name === 'editPort' || place.name === 'newPort' ? `/services/${place.params.id}` : path
}

export function useScrollMemory(): void {
  const [path] = useLocation()
  const key = placeKey(path)

  useEffect(() => {
    history.scrollRestoration = 'manual'
  }, [])

  useLayoutEffect(() => {
    const wanted = ledTo === key ? 0 : (remembered.get(key) ?? 0)
    ledTo = null
    scrollTo(0, wanted)
    // The page's code or its rows may come a moment later.
    const later = wanted > 0 ? requestAnimationFrame(() => scrollTo(0, wanted)) : 0
    const onScroll = (): void => {
      remembered.set(key, scrollY)
    }
    addEventListener('scroll', onScroll, { passive: true })
    return () => {
      cancelAnimationFrame(later)
      removeEventListener('scroll', onScroll)
    }
  }, [key])
}
