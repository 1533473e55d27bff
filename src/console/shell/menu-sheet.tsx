/** In small windows: the side bar as a sheet. A native dialog keeps the focus in, and gives it back to the button. */
import { X } from 'lucide-react'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { Button } from '../ui/button.tsx'
import { setMenuOpener } from './open-menu.ts'
import { SideBar } from './side-bar.tsx'

export function MenuSheet(): ReactElement | null {
  const [isOpen, setOpen] = useState(false)
  const [path] = useLocation()
  useEffect(() => {
    setMenuOpener(() => setOpen(true))
    return () => setMenuOpener(null)
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever goes somewhere has chosen
  useEffect(() => setOpen(false), [path])
  return isOpen ? <Sheet onClose={() => setOpen(false)} /> : null
}

function Sheet({ onClose }: { readonly onClose: () => void }): ReactElement {
  const sheet = useRef<HTMLDialogElement>(null)
  useEffect(() => sheet.current?.showModal(), [])
  return (
    <dialog
      ref={sheet}
      className="sheet"
      aria-label="Menu"
      onClose={onClose}
      // A click beside it is one on the dialog itself, its backdrop.
      onClick={event => event.target === event.currentTarget && sheet.current?.close()}
    >
      <div className="side">
        <Button kind="quiet" icon={X} iconOnly className="sheet-close" onClick={() => sheet.current?.close()}>
          Close the menu
        </Button>
        <SideBar />
      </div>
    </dialog>
  )
}
