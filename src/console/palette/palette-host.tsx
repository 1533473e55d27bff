/** Opens the palette on ⌘K and loads its code the first time, or when the page has nothing else to do. */
import { lazy, type ReactElement, Suspense, useEffect, useState } from 'react'
import { useCommand } from '../keyboard/use-command.ts'
import { setPaletteOpener } from './open.ts'

const load = () => import('./palette.tsx')
const Palette = lazy(async () => ({ default: (await load()).Palette }))

export function PaletteHost({ onShowKeys }: { readonly onShowKeys: () => void }): ReactElement | null {
  const [isOpen, setOpen] = useState(false)
  useCommand('palette', () => setOpen(open => !open))
  useEffect(() => {
    setPaletteOpener(() => setOpen(true))
    whenIdle(() => void load())
    return () => setPaletteOpener(null)
  }, [])
  if (!isOpen) return null
  return (
    <Suspense>
      <Palette onClose={() => setOpen(false)} onShowKeys={onShowKeys} />
    </Suspense>
  )
}

/** Safari has no requestIdleCallback. */
export function whenIdle(act: () => void): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(act, { timeout: 5_000 })
  else setTimeout(act, 1_500)
}
