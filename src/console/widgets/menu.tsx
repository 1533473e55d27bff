/** A menu behind a button. Loaded when somebody reaches for the button: use `LazyMenu` (ui/lazy-menu.tsx), which has the same shape. */
import { Menu as Base } from '@base-ui/react/menu'
import { Check } from 'lucide-react'
import { Fragment, type ReactElement } from 'react'
import { Link } from 'wouter'
import { Icon } from '../ui/icon.tsx'
import { type LazyMenuProps, type MenuEntry, menuButtonClass, menuButtonInside } from '../ui/menu-button.tsx'
import { Strict } from './strict.tsx'

export function Menu(props: LazyMenuProps & { readonly isOpenAtFirst: boolean }): ReactElement {
  const { entries, isOpenAtFirst, label } = props
  return (
    <Strict>
      <Base.Root defaultOpen={isOpenAtFirst} modal={false}>
        <Base.Trigger className={menuButtonClass(props)}>{menuButtonInside(props)}</Base.Trigger>
        <Base.Portal>
          <Base.Positioner className="popup-place" sideOffset={4} align={props.align ?? 'start'}>
            <Base.Popup className="popup" aria-label={label}>
              {entries.map(entry => (
                <Fragment key={entry.id}>{item(entry)}</Fragment>
              ))}
            </Base.Popup>
          </Base.Positioner>
        </Base.Portal>
      </Base.Root>
    </Strict>
  )
}

function item(entry: MenuEntry): ReactElement {
  const className = entry.kind === 'danger' ? 'popup-item danger' : 'popup-item'
  const inside = (
    <>
      {entry.lead}
      <span className="grow">{entry.label}</span>
      {entry.trail !== undefined && <span className="popup-trail">{entry.trail}</span>}
    </>
  )
  if (entry.checked !== undefined)
    return (
      <Base.CheckboxItem className={className} checked={entry.checked} onCheckedChange={entry.onSelect}>
        {inside}
        <Base.CheckboxItemIndicator className="popup-mark">
          <Icon of={Check} size="s" />
        </Base.CheckboxItemIndicator>
      </Base.CheckboxItem>
    )
  if (entry.href !== undefined)
    return (
      <Base.Item className={className} render={<Link href={entry.href} />}>
        {inside}
      </Base.Item>
    )
  return (
    <Base.Item className={className} disabled={entry.disabled === true} onClick={entry.onSelect}>
      {inside}
    </Base.Item>
  )
}
