/** Opens the palette on ⌘K. Its code is part of what loads first: whoever opens it types on at once, and no key may be lost. */
import { type ReactElement, useEffect, useState } from 'react'
import { useCommand } from '../keyboard/use-command.ts'
import { setPaletteOpener } from './open.ts'
import { Palette } from './palette.tsx'

export function PaletteHost({ onShowKeys }: { readonly onShowKeys: () => void }): ReactElement | null {
  const [isOpen, setOpen] = useState(false)
  useCommand('palette', () => setOpen(open => !open))
  useEffect(() => {
    setPaletteOpener(() => setOpen(true))
    return () => setPaletteOpener(null)
  }, [])
  return isOpen ? <Palette onClose={() => setOpen(false)} onShowKeys={onShowKeys} /> : null
}
