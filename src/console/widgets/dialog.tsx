/**
 * A dialog in the middle, for a question that must be answered first. A drawer (drawer.tsx) is for work.
 *
 *   <Dialog title="Delete orders-db?" onClose={close} actions={<><Button onClick={close}>Keep it</Button> ...</>}>...</Dialog>
 *
 * It is open as long as it is rendered; the focus goes to its first field or button, and back to what opened it.
 */
import { Dialog as Base } from '@base-ui/react/dialog'
import type { ReactElement, ReactNode } from 'react'
import { Strict } from './strict.tsx'

type DialogProps = {
  readonly title: ReactNode
  readonly onClose: () => void
  readonly children: ReactNode
  readonly actions: ReactNode
  /** False: neither Escape nor a click beside it closes it, for a secret that is shown once. */
  readonly isDismissible?: boolean
}

export function Dialog({ title, onClose, children, actions, isDismissible = true }: DialogProps): ReactElement {
  return (
    <Strict>
      <Base.Root
        open
        onOpenChange={(open, { reason }) => !open && (isDismissible || reason !== 'escape-key') && onClose()}
        disablePointerDismissal={!isDismissible}
      >
        <Base.Portal>
          <Base.Backdrop className="scrim" />
          <Base.Popup className="modal">
            <div className="modal-b">
              <Base.Title className="modal-title" render={<h2 />}>
                {title}
              </Base.Title>
              {children}
              <div className="modal-f">{actions}</div>
            </div>
          </Base.Popup>
        </Base.Portal>
      </Base.Root>
    </Strict>
  )
}
