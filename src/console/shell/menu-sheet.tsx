/** In small windows: the side bar as a sheet. A native dialog keeps the focus in, and gives it back to the button. */
import { X } from 'lucide-react'
import { type ReactElement, useEffect, useRef } from 'react'
import { useLocation } from 'wouter'
import { Button } from '../ui/button.tsx'
import { SideBar } from './side-bar.tsx'

let open: (() => void) | null = null

export const openMenu = (): void => open?.()

export function MenuSheet(): ReactElement {
  const sheet = useRef<HTMLDialogElement>(null)
  const [path] = useLocation()
  useEffect(() => {
    open = () => sheet.current?.showModal()
    return () => {
      open = null
    }
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever goes somewhere has chosen
  useEffect(() => sheet.current?.close(), [path])
  return (
    <dialog
      ref={sheet}
      className="sheet"
      aria-label="Menu"
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
