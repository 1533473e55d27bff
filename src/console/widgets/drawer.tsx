/**
 * A drawer over the page, with an address of its own: work that can be linked, and that a reload does not lose.
 *
 *   <Drawer title="Expose a port" onClose={() => navigate(href.services())} foot={<>...</>} aside={<WhatWillChange />}>
 *     <form className="form">...</form>
 *   </Drawer>
 *
 * It is open as long as it is rendered. `Esc`, the cross and a click beside it call `onClose`; who has something to lose asks first.
 */
import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { ReactElement, ReactNode, RefObject } from 'react'
import { Icon } from '../ui/icon.tsx'
import { Strict } from './strict.tsx'
import '../styles/drawer.css'

type DrawerProps = {
  readonly title: ReactNode
  readonly onClose: () => void
  /** The left part; give it `className="form"`. */
  readonly children: ReactNode
  /** The right part, below in small windows. */
  readonly aside?: ReactNode
  readonly foot?: ReactNode
  /** Where the focus goes first; default: the first field. */
  readonly initialFocus?: RefObject<HTMLElement | null>
}

export function Drawer({ title, onClose, children, aside, foot, initialFocus }: DrawerProps): ReactElement {
  return (
    <Strict>
      <Base.Root open onOpenChange={open => !open && onClose()}>
        <Base.Portal>
          <Base.Backdrop className="scrim" />
          <Base.Popup className="drawer" initialFocus={initialFocus ?? firstField}>
            <div className="drawer-h">
              <Base.Title render={<h1 />}>{title}</Base.Title>
              <kbd className="hide-sm" aria-hidden>
                esc
              </kbd>
              <Base.Close className="btn quiet icon">
                <Icon of={X} />
                <span className="vh">Close</span>
              </Base.Close>
            </div>
            <div className={aside === undefined ? 'drawer-b alone' : 'drawer-b'}>
              {children}
              {aside !== undefined && <div className="will">{aside}</div>}
            </div>
            {foot !== undefined && <div className="drawer-f">{foot}</div>}
          </Base.Popup>
        </Base.Portal>
      </Base.Root>
    </Strict>
  )
}

function firstField(): HTMLElement | boolean {
  return (
    document.querySelector<HTMLElement>('.drawer .form :is(input, select, textarea, button):not([disabled])') ?? true
  )
}
