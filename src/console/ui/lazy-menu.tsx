/**
 * A button with a menu. The menu's code comes when a pointer or the focus is on the button, or when the page has nothing else to do;
 * until then there is a button that looks the same, and a press on it is not lost.
 *
 *   <LazyMenu label="Verdict" icon={ListFilter} entries={[{ id: 'live', label: 'live', checked: true, onSelect: ... }]} />
 */
import type { LucideIcon } from 'lucide-react'
import { lazy, type ReactElement, type ReactNode, Suspense, useState } from 'react'
import { Icon } from './icon.tsx'

export type MenuEntry = {
  readonly id: string
  readonly label: ReactNode
  readonly lead?: ReactNode
  /** At the right, in grey. */
  readonly trail?: ReactNode
  readonly kind?: 'plain' | 'danger'
  /** Given: it can be on or off, and the menu stays open. */
  readonly checked?: boolean
  readonly disabled?: boolean
  /** Goes somewhere. */
  readonly href?: string
  readonly onSelect?: () => void
}

export type LazyMenuProps = {
  readonly label: string
  readonly icon: LucideIcon
  readonly entries: readonly MenuEntry[]
  readonly iconOnly?: boolean
  /** How many are on, behind the label. */
  readonly count?: number
  readonly align?: 'start' | 'end'
  readonly className?: string
}

const load = () => import('../widgets/menu.tsx')
const Menu = lazy(async () => ({ default: (await load()).Menu }))

export function LazyMenu(props: LazyMenuProps): ReactElement {
  const [pressed, setPressed] = useState(false)
  const [isWanted, setWanted] = useState(false)
  const want = (): void => {
    void load().then(() => setWanted(true))
  }
  const placeholder = (
    <button
      type="button"
      className={menuButtonClass(props)}
      aria-haspopup="menu"
      aria-expanded={false}
      onPointerEnter={() => void load()}
      onFocus={() => void load()}
      onClick={() => {
        setPressed(true)
        want()
      }}
    >
      {menuButtonInside(props)}
    </button>
  )
  if (!isWanted) return placeholder
  return (
    <Suspense fallback={placeholder}>
      <Menu {...props} isOpenAtFirst={pressed} />
    </Suspense>
  )
}

export const menuButtonClass = ({ iconOnly = false, className = '' }: LazyMenuProps): string =>
  `btn${iconOnly ? ' icon' : ''} ${className}`.trim()

export function menuButtonInside({ icon, label, iconOnly = false, count = 0 }: LazyMenuProps): ReactElement {
  return (
    <>
      <Icon of={icon} size={iconOnly ? 'm' : 's'} />
      <span className={iconOnly ? 'vh' : ''}>{label}</span>
      {count > 0 && <span className="tag">{count}</span>}
    </>
  )
}
