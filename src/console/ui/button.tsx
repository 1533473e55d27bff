/** Buttons, and links that look like one. */
import type { LucideIcon } from 'lucide-react'
import type { ComponentProps, ReactElement, ReactNode } from 'react'
import { Link } from 'wouter'
import { MOD_KEY } from '../keyboard/mod-key.ts'
import { Icon } from './icon.tsx'

type Look = {
  readonly kind?: 'plain' | 'primary' | 'quiet' | 'danger'
  readonly size?: 'sm' | 'md' | 'lg'
  readonly icon?: LucideIcon
  /** The key that does the same, shown at the end; hidden in small windows. */
  readonly shortcut?: string
  /** Only the icon is shown; the label is for who does not see it. */
  readonly iconOnly?: boolean
  readonly children: ReactNode
}

function classOf({ kind = 'plain', size = 'md', iconOnly = false }: Look, more: string | undefined): string {
  return ['btn', kind === 'plain' ? '' : kind, size === 'md' ? '' : size, iconOnly ? 'icon' : '', more ?? '']
    .filter(Boolean)
    .join(' ')
}

function inside({ icon, iconOnly = false, shortcut, children }: Look): ReactElement {
  return (
    <>
      {icon !== undefined && <Icon of={icon} size="s" />}
      {iconOnly ? <span className="vh">{children}</span> : <span>{children}</span>}
      {shortcut !== undefined && (
        <kbd className="hide-sm" aria-hidden>
          {shortcut.replace('⌘', MOD_KEY === '⌘' ? '⌘' : 'Ctrl ')}
        </kbd>
      )}
    </>
  )
}

type ButtonProps = Look & Omit<ComponentProps<'button'>, 'children'>

export function Button(props: ButtonProps): ReactElement {
  const {
    kind: _k,
    size: _s,
    icon: _i,
    shortcut: _h,
    iconOnly: _o,
    children: _c,
    className,
    type = 'button',
    ...rest
  } = props
  return (
    <button {...rest} type={type} className={classOf(props, className)}>
      {inside(props)}
    </button>
  )
}

type ButtonLinkProps = Look & { readonly href: string; readonly className?: string }

/** Goes somewhere, so it is a link: it can be opened in another tab. */
export function ButtonLink(props: ButtonLinkProps): ReactElement {
  return (
    <Link href={props.href} className={classOf(props, props.className)}>
      {inside(props)}
    </Link>
  )
}
