/** The backends of a service, as one list that is saved at once. */
import { type FormEvent, type ReactElement, useState } from 'react'
import type { Service } from '../../../api/service.ts'
import { keys } from '../../data/keys.ts'
import { sentence } from '../../data/problem.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Field } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { toast } from '../../ui/toast.tsx'
import { Dialog } from '../../widgets/dialog.tsx'
import { counted } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import { Chips } from '../expose/chips.tsx'
import { addBackends, type Backend, EMPTY_FORM } from '../expose/form.ts'
import '../expose/expose.css'

type EndpointsDialogProps = { readonly service: Service; readonly etag: string | null; readonly onClose: () => void }

const FORM_ID = 'endpoints'

export function EndpointsDialog({ service, etag, onClose }: EndpointsDialogProps): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const [backends, setBackends] = useState<readonly Backend[]>(service.endpoints)
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setFault(null)
    try {
      const path = `/services/${encodeURIComponent(service.id)}/endpoints`
      await client.send('PUT', path, {
        body: backends.map(({ address, weight }) => ({ address, weight })),
        ifMatch: etag,
      })
      for (const queryKey of [keys.allServices, keys.allRoutes]) void queries.invalidateQueries({ queryKey })
      toast({ text: `${withMarks(service.name)} has ${counted(backends.length, 'backend')}` })
      onClose()
    } catch (error) {
      const { message, remedy, fields, status } = faultOf(error)
      const [first] = fields
      setFault(
        status === 412
          ? 'Somebody changed the service meanwhile. Close this, look at it, and try again.'
          : first === undefined
            ? `${message} ${remedy}`
            : `${sentence(first.message)} ${first.remedy ?? ''}`,
      )
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={`Backends of ${withMarks(service.name)}`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form={FORM_ID} disabled={isBusy}>
            Save
          </Button>
        </>
      }
    >
      <form id={FORM_ID} className="stack g4" onSubmit={event => void submit(event)}>
        <Field
          label="Addresses"
          fault={fault}
          hint={
            backends.length === 0
              ? 'Without one its ports stay open on the proxy, and close each connection at once.'
              : 'Without a port: each port of the service says where they listen. Connections that are open stay where they are.'
          }
        >
          {input => (
            <Chips
              input={input}
              placeholder="10.200.1.5"
              chips={backends.map(({ address, weight }) => ({ value: address, weight }))}
              onAdd={text => setBackends(addBackends({ ...EMPTY_FORM, backends }, text, []).backends)}
              onRemove={value => setBackends(backends.filter(({ address }) => address !== value))}
              onWeight={(value, weight) =>
                setBackends(backends.map(one => (one.address === value ? { ...one, weight } : one)))
              }
            />
          )}
        </Field>
      </form>
    </Dialog>
  )
}
