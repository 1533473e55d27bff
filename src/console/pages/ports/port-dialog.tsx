/** What an admin does to a number by hand, asked once more: each of it stands in the audit log. */
import { type ReactElement, useState } from 'react'
import type { Pool, PoolPort } from '../../../api/pool.ts'
import { keys } from '../../data/keys.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Field, Message } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { toast } from '../../ui/toast.tsx'
import { Dialog } from '../../widgets/dialog.tsx'

export type PortAct = 'free' | 'reserve' | 'unreserve'

type PortDialogProps = {
  readonly protocol: Pool['protocol']
  readonly port: PoolPort
  readonly act: PortAct
  readonly onClose: () => void
}

type Words = {
  readonly title: (port: number) => string
  readonly button: string
  readonly done: (port: number) => string
}

const WORDS: Readonly<Record<PortAct, Words>> = {
  free: { title: port => `Free ${port} now?`, button: 'Free it now', done: port => `${port} is free` },
  reserve: { title: port => `Reserve ${port}`, button: 'Reserve', done: port => `${port} is reserved` },
  unreserve: {
    title: port => `Give ${port} back to the pool?`,
    button: 'Give it back',
    done: port => `${port} is free`,
  },
}

export function PortDialog({ protocol, port, act, onClose }: PortDialogProps): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const [note, setNote] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const words = WORDS[act]
  const submit = async (): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      const body = act === 'reserve' ? { note: note.trim() === '' ? null : note.trim() } : {}
      await client.send('POST', `/pools/${protocol}/ports/${port.port}/${act}`, { body })
      await queries.invalidateQueries({ queryKey: keys.allPools })
      toast({ text: words.done(port.port) })
      onClose()
    } catch (error) {
      const { message, remedy } = faultOf(error)
      setFault(`${message} ${remedy}`)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={words.title(port.port)}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind={act === 'free' ? 'danger' : 'primary'} disabled={isBusy} onClick={() => void submit()}>
            {words.button}
          </Button>
        </>
      }
    >
      {act === 'free' && (
        <p className="t2">
          A node that has not let go of the old route may still send clients of the old owner to whoever gets this
          number next. Do it when you know that no such node serves any more.
        </p>
      )}
      {act === 'unreserve' && <p className="t2">From then on it may be given to anybody.</p>}
      {act === 'reserve' && (
        <Field label="Why" hint="Everybody sees it. May be left empty.">
          {input => (
            <input
              {...input}
              className="input"
              maxLength={200}
              value={note}
              onChange={event => setNote(event.target.value)}
            />
          )}
        </Field>
      )}
      {fault !== null && <Message id="port-dialog-fault" fault={fault} />}
    </Dialog>
  )
}
