/** What an admin does to a node: another name, no more trust in its key, the end. Each asks once more and says what it risks. */
import { type FormEvent, type ReactElement, useState } from 'react'
import { useLocation } from 'wouter'
import type { Node, Retirement } from '../../../api/node.ts'
import { keys } from '../../data/keys.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { PATHS } from '../../places.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Message } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { toast } from '../../ui/toast.tsx'
import { Dialog } from '../../widgets/dialog.tsx'
import { withMarks } from '../../words/safe-text.ts'

export type NodeAct = 'rename' | 'revoke' | 'retire' | 'delete'

type ActProps = {
  readonly node: Node
  readonly etag: string | null
  readonly act: NodeAct
  readonly onClose: () => void
}

const FORM_ID = 'node-act'

const TITLES: Readonly<Record<NodeAct, string>> = {
  rename: 'Rename',
  revoke: 'Revoke the key of',
  retire: 'Retire',
  delete: 'Forget',
}

const BUTTONS: Readonly<Record<NodeAct, string>> = {
  rename: 'Rename',
  revoke: 'Revoke',
  retire: 'Retire',
  delete: 'Forget',
}

export function NodeActDialog({ node, etag, act, onClose }: ActProps): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const [, navigate] = useLocation()
  const [typed, setTyped] = useState(act === 'rename' ? node.name : '')
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const path = `/nodes/${encodeURIComponent(node.id)}`

  const send = async (): Promise<string> => {
    switch (act) {
      case 'rename':
        await client.send('PATCH', path, { body: { name: typed.trim() }, ifMatch: etag })
        return `It is ${typed.trim()} now`
      case 'revoke':
        await client.send('POST', `${path}/revoke`)
        return `The key of ${withMarks(node.name)} is revoked`
      case 'retire': {
        const { data } = await client.send<Retirement>('POST', `${path}/retire`, { body: { confirm: typed } })
        return data.freedPorts.length === 0
          ? `${withMarks(node.name)} is retired`
          : `${withMarks(node.name)} is retired; ${data.freedPorts.length} ports that rested for it are free`
      }
      case 'delete':
        await client.send('DELETE', path, { ifMatch: etag })
        return `${withMarks(node.name)} is forgotten`
      default: {
        const never: never = act
        return never
      }
    }
  }
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setFault(null)
    try {
      toast({ text: await send() })
      if (act === 'delete') navigate(PATHS.nodes)
      for (const queryKey of [keys.allNodes, keys.allPools, keys.overview]) void queries.invalidateQueries({ queryKey })
      onClose()
    } catch (error) {
      const { message, remedy } = faultOf(error)
      setFault(`${message} ${remedy}`)
      setBusy(false)
    }
  }
  const isReady =
    act === 'retire' ? typed === node.name : act !== 'rename' || (typed.trim() !== '' && typed !== node.name)
  return (
    <Dialog
      title={
        <>
          {TITLES[act]} <Text most={36}>{node.name}</Text>
          {act !== 'rename' && '?'}
        </>
      }
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind={act === 'rename' ? 'primary' : 'danger'}
            type="submit"
            form={FORM_ID}
            disabled={isBusy || !isReady}
          >
            {BUTTONS[act]}
          </Button>
        </>
      }
    >
      <form id={FORM_ID} className="stack g4" onSubmit={event => void submit(event)}>
        {act === 'rename' && (
          <Field
            label="Name"
            hint="Letters, digits, dots, hyphens, underscores. For people: the node is known by its key."
          >
            {input => (
              <input
                {...input}
                className="input"
                maxLength={63}
                value={typed}
                onChange={event => setTyped(event.target.value)}
              />
            )}
          </Field>
        )}
        {act === 'revoke' && (
          <p className="t2">
            Its agent is turned away from then on and told nothing new.{' '}
            <b className="strong">What it serves it serves on,</b> so numbers that rest for it go on resting. To let it
            in again, enrol it anew with a token for its name.
          </p>
        )}
        {act === 'retire' && (
          <>
            <p className="t2">
              It no longer counts: numbers that rest for it alone become free.{' '}
              <b className="strong">If its Traefik still runs,</b> old clients that go through it may reach whoever gets
              such a number. Stop its Traefik first.
            </p>
            <Field label="Its name, to be sure">
              {input => (
                <input
                  {...input}
                  className="input mono"
                  autoComplete="off"
                  placeholder={node.name}
                  value={typed}
                  onChange={event => setTyped(event.target.value)}
                />
              )}
            </Field>
          </>
        )}
        {act === 'delete' && (
          <p className="t2">What it ever said goes with it. The audit log keeps what was done to it.</p>
        )}
        {fault !== null && <Message id="node-act-fault" fault={fault} />}
      </form>
    </Dialog>
  )
}
