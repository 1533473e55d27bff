/** Another name for a service. Its routes keep their ids, so nothing on the nodes changes. */
import { type FormEvent, type ReactElement, useState } from 'react'
import type { Service } from '../../../api/service.ts'
import { keys } from '../../data/keys.ts'
import { sentence } from '../../data/problem.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Field } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Dialog } from '../../widgets/dialog.tsx'

type RenameDialogProps = { readonly service: Service; readonly etag: string | null; readonly onClose: () => void }

const FORM_ID = 'rename'

export function RenameDialog({ service, etag, onClose }: RenameDialogProps): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const [name, setName] = useState(service.name)
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      await client.send('PATCH', `/services/${encodeURIComponent(service.id)}`, {
        body: { name: name.trim() },
        ifMatch: etag,
      })
      for (const queryKey of [keys.allServices, keys.allRoutes, keys.overview])
        void queries.invalidateQueries({ queryKey })
      onClose()
    } catch (error) {
      const { message, remedy, fields } = faultOf(error)
      const [first] = fields
      setFault(first === undefined ? `${message} ${remedy}` : `${sentence(first.message)} ${first.remedy ?? ''}`)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title="Rename"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            type="submit"
            form={FORM_ID}
            disabled={isBusy || name.trim() === '' || name.trim() === service.name}
          >
            Rename
          </Button>
        </>
      }
    >
      <form id={FORM_ID} onSubmit={event => void submit(event)}>
        <Field label="Name" fault={fault} hint="For people. Addresses and routes stay as they are.">
          {input => (
            <input
              {...input}
              className="input"
              value={name}
              onChange={event => setName(event.target.value)}
              autoComplete="off"
            />
          )}
        </Field>
      </form>
    </Dialog>
  )
}
