/**
 * A drawer over the page, with an address of its own: work that can be linked, and that a reload does not lose.
 *
 *   <DrawerFrame title="Expose a port" onClose={() => navigate(href.services())}>
 *     <DrawerBody aside={<WhatWillChange />}>
 *       <form className="form">...</form>
 *     </DrawerBody>
 *     <DrawerFoot>...</DrawerFoot>
 *   </DrawerFrame>
 *
 * It is open as long as it is rendered. `Esc`, the cross and a click beside it call `onClose`; who has something to lose asks first.
 * What goes from loading to a form and on to something else changes inside one frame: it opens once, and the focus stays in it.
 */
import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'
import { Icon } from '../ui/icon.tsx'
import { Strict } from './strict.tsx'
import '../styles/drawer.css'

type FrameProps = {
  readonly title: ReactNode
  readonly onClose: () => void
  /** A body, and perhaps a foot. */
  readonly children: ReactNode
}

/** The focus goes to the field that is marked `data-first`, else to the first one. */
export function DrawerFrame({ title, onClose, children }: FrameProps): ReactElement {
  return (
    <Strict>
      <Base.Root open onOpenChange={open => !open && onClose()}>
        <Base.Portal>
          <Base.Backdrop className="scrim" />
          <Base.Popup className="drawer" initialFocus={() => firstField() ?? true}>
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
            {children}
          </Base.Popup>
        </Base.Portal>
      </Base.Root>
    </Strict>
  )
}

type BodyProps = {
  /** The left part; give it `className="form"`. */
  readonly children: ReactNode
  /** The right part, below in small windows. */
  readonly aside?: ReactNode
}

export function DrawerBody({ children, aside }: BodyProps): ReactElement {
  return (
    <div className={aside === undefined ? 'drawer-b alone' : 'drawer-b'}>
      {children}
      {aside !== undefined && <div className="will">{aside}</div>}
    </div>
  )
}

export function DrawerFoot({ children }: { readonly children: ReactNode }): ReactElement {
  return <div className="drawer-f">{children}</div>
}

function firstField(): HTMLElement | null {
  return (
    document.querySelector<HTMLElement>('.drawer .form [data-first]') ??
    document.querySelector<HTMLElement>('.drawer .form :is(input, select, textarea, button):not([disabled])')
  )
}

/** For a form that comes into a drawer which is open already. */
export const focusFirstField = (): void => firstField()?.focus()
