/** The list of keys behind `?`, and the switch that turns the single ones off. */
import { X } from 'lucide-react'
import { type ReactElement, useEffect, useRef } from 'react'
import { KEY_LIST } from '../keyboard/keys.ts'
import { MOD_KEY } from '../keyboard/mod-key.ts'
import { useSingleKeys } from '../keyboard/use-keys.ts'
import { Button } from '../ui/button.tsx'
import { Switch } from '../ui/controls.tsx'

export function KeySheet({ onClose }: { readonly onClose: () => void }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null)
  const [areOn, setOn] = useSingleKeys()
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      className="modal"
      aria-labelledby="keys-title"
      onClose={onClose}
      onClick={event => event.target === event.currentTarget && dialog.current?.close()}
    >
      <div className="modal-b">
        <div className="row between">
          <h2 id="keys-title">Keys</h2>
          <Button kind="quiet" size="sm" icon={X} iconOnly onClick={() => dialog.current?.close()}>
            Close
          </Button>
        </div>
        <dl className="keys-list">
          {KEY_LIST.map(({ keys, what, single }) => (
            <div key={what} className={single && !areOn ? 'off' : ''}>
              <dt>
                {keys.map(key => (
                  <kbd key={key}>{key === '⌘' ? MOD_KEY : key}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <Switch
          checked={areOn}
          onChange={setOn}
          label="Single keys"
          hint="Off: only keys with Ctrl or ⌘, and Esc, do something. For who speaks to the computer, or types by chance."
        />
      </div>
    </dialog>
  )
}
