/** What a menu is asked for, and the button that opens it: alike before its code is there (lazy-menu.tsx) and after (widgets/menu.tsx). */
import type { LucideIcon } from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'
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
