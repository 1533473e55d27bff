/** Deleting a port or a service: what goes, what rests, what stays open. The name is asked for only while connections are open. */
import { type FormEvent, type ReactElement, useState } from 'react'
import type { Plan } from '../../../api/plan.ts'
import type { Deleted } from '../../../api/port.ts'
import { useAsked } from '../../data/asked.ts'
import { keys } from '../../data/keys.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Field, Message } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { toast } from '../../ui/toast.tsx'
import { Dialog } from '../../widgets/dialog.tsx'
import { counted } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import { addressOf, planLines } from '../expose/plan-lines.ts'
import { Line } from '../expose/will-change.tsx'

export type Doomed = {
  readonly what: 'service' | 'port'
  /** `/services/svc_1`. */
  readonly path: string
  readonly name: string
  readonly etag: string | null
}

type DeleteDialogProps = { readonly doomed: Doomed; readonly onClose: () => void; readonly onDeleted: () => void }

const FORM_ID = 'delete'
const isAboutConnections = (what: string): boolean => /connections/.test(what)

export function DeleteDialog({ doomed, onClose, onDeleted }: DeleteDialogProps): ReactElement {
  const { what, path, name, etag } = doomed
  const client = useClient()
  const { queries } = useRuntime()
  const [typed, setTyped] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const plan = useAsked({
    queryKey: ['plan', 'delete', path],
    queryFn: async ({ signal }) => (await client.send<Plan>('DELETE', `${path}?dryRun=true`, { signal })).data,
    gcTime: 0,
    staleTime: 0,
  })
  const notes = (plan.data?.changes ?? []).filter(({ op }) => op === 'note')
  const address = plan.data === undefined ? null : addressOf(plan.data)
  const isOpen = notes.some(note => isAboutConnections(note.what))

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setFault(null)
    try {
      const { data } = await client.send<Deleted>('DELETE', path, { ifMatch: etag })
      for (const queryKey of [keys.allServices, keys.allRoutes, keys.allPools, keys.overview])
        void queries.invalidateQueries({ queryKey })
      const rests = data.released.filter(one => one.rests)
      const [first] = rests
      toast({
        text:
          first === undefined
            ? `${withMarks(name)} is deleted`
            : `${withMarks(name)} is deleted; ${rests.length === 1 ? `${first.port} rests` : `${counted(rests.length, 'port')} rest`}`,
      })
      onDeleted()
    } catch (error) {
      const { message, remedy, status } = faultOf(error)
      setFault(
        status === 412
          ? 'Somebody changed it meanwhile. Look at it once more, then delete it.'
          : `${message} ${remedy}`,
      )
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={
        <>
          Delete <Text most={40}>{name}</Text>?
        </>
      }
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button
            kind="danger"
            type="submit"
            form={FORM_ID}
            disabled={isBusy || plan.data === undefined || (isOpen && typed !== name)}
          >
            Delete
          </Button>
        </>
      }
    >
      <form id={FORM_ID} className="stack g4" onSubmit={event => void submit(event)}>
        {plan.data !== undefined && (
          <ul className="diff">
            {planLines(plan.data, 0).map(line => (
              <Line key={`${line.sign} ${line.text} ${line.value ?? ''}`} line={line} />
            ))}
            {address !== null && <Line line={{ sign: '−', text: 'Address', value: String(address.before ?? '') }} />}
          </ul>
        )}
        {plan.error !== null && <Message id="plan-fault" fault={faultOf(plan.error).message} />}
        <p className="t2 sm">
          {what === 'port' ? 'Its number rests' : 'Its numbers rest'} until every node has let go of{' '}
          {what === 'port' ? 'the route' : 'the routes'}, then others may have {what === 'port' ? 'it' : 'them'}.
        </p>
        {isOpen && (
          <Field label="Its name, since connections are open">
            {input => (
              <input
                {...input}
                className="input mono"
                autoComplete="off"
                placeholder={name}
                value={typed}
                onChange={event => setTyped(event.target.value)}
              />
            )}
          </Field>
        )}
        {fault !== null && <Message id="delete-fault" fault={fault} />}
      </form>
    </Dialog>
  )
}
