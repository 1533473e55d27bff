/** Everything around the page: side bar, sheet, keys, palette, notes, what is said to who does not see it. */
import { type ReactElement, type ReactNode, useEffect, useState } from 'react'
import { useLocation } from 'wouter'
import { useCommand } from '../keyboard/use-command.ts'
import { useKeys } from '../keyboard/use-keys.ts'
import { preloadNext } from '../pages.tsx'
import { PaletteHost } from '../palette/palette-host.tsx'
import { href } from '../places.ts'
import { whenIdle } from '../ui/idle.ts'
import { LiveRegions } from '../ui/live-regions.tsx'
import { ToastArea } from '../ui/toast.tsx'
import { KeySheet } from './key-sheet.tsx'
import { MenuSheet } from './menu-sheet.tsx'
import { SideBar } from './side-bar.tsx'

export function Shell({ children }: { readonly children: ReactNode }): ReactElement {
  const [, navigate] = useLocation()
  const [areKeysShown, setKeysShown] = useState(false)
  useKeys()
  useEffect(() => whenIdle(preloadNext), [])
  useCommand('expose', () => navigate(href.newService()))
  useCommand('help', () => setKeysShown(true))
  useCommand('filter', focusFilter)
  useCommand('copy', copyMain)
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <div className="app">
        <aside className="side" aria-label="Side bar">
          <SideBar />
        </aside>
        <div className="main">{children}</div>
      </div>
      <MenuSheet />
      <PaletteHost onShowKeys={() => setKeysShown(true)} />
      {areKeysShown && <KeySheet onClose={() => setKeysShown(false)} />}
      <ToastArea />
      <LiveRegions />
    </>
  )
}

/** Every page that can be filtered has one field with `type="search"` in its main part. */
function focusFilter(): boolean {
  const field = document.querySelector<HTMLInputElement>('#main input[type="search"]')
  field?.focus()
  field?.select()
  return field !== null
}

/** `Y` presses the copy button that the page has marked as its own (`isMain`), or that of the row that has the focus. */
function copyMain(): boolean {
  const row = document.activeElement?.closest('[role="row"], li')
  const button =
    row?.querySelector<HTMLElement>('.copy') ?? document.querySelector<HTMLElement>('#main [data-copy-main]')
  button?.click()
  return button != null
}
