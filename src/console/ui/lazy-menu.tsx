/**
 * A button with a menu. The menu's code comes when a pointer or the focus is on the button, or when the page has nothing else to do;
 * until then there is a button that looks the same, and a press on it is not lost.
 *
 *   <LazyMenu label="Verdict" icon={ListFilter} entries={[{ id: 'live', label: 'live', checked: true, onSelect: ... }]} />
 */
import { lazy, type ReactElement, Suspense, useState } from 'react'
import { type LazyMenuProps, menuButtonClass, menuButtonInside } from './menu-button.tsx'

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
