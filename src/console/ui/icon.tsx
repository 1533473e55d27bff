/** An icon of lucide, in one of three sizes. Always decoration: the word stands beside it, or in the button's label. */
import type { LucideIcon } from 'lucide-react'
import type { ReactElement } from 'react'

type IconProps = { readonly of: LucideIcon; readonly size?: 's' | 'm' | 'l' }

export function Icon({ of: Drawing, size = 'm' }: IconProps): ReactElement {
  return <Drawing className={size === 'm' ? 'i' : `i ${size}`} aria-hidden focusable="false" />
}
