/** Making a token: what it may do, and then the token itself, shown once. */
import { type FormEvent, type ReactElement, useState } from 'react'
import type { NewToken as Made } from '../../../api/token.ts'
import { keys } from '../../data/keys.ts'
import type { CallFault } from '../../data/problem.ts'
import { faultsByField } from '../../data/problem.ts'
import { useProjects, useSession } from '../../data/queries.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Quote } from '../../ui/code.tsx'
import { CopyButton } from '../../ui/copy.tsx'
import { Field, Message } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Dialog } from '../../widgets/dialog.tsx'
import { Select } from '../../widgets/select.tsx'
import { withMarks } from '../../words/safe-text.ts'
import { ENDS, SCOPE_WORDS, scopesUpTo, type TokenForm, tokenInput } from './token-rules.ts'

const FORM_ID = 'new-token'

export function NewToken({ onClose }: { readonly onClose: () => void }): ReactElement {
  const [made, setMade] = useState<Made | null>(null)
  return made === null ? <Ask onClose={onClose} onMade={setMade} /> : <Show made={made} onClose={onClose} />
}

function Ask({
  onClose,
  onMade,
}: {
  readonly onClose: () => void
  readonly onMade: (made: Made) => void
}): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const { data: session } = useSession()
  const { data: projects } = useProjects()
  const [form, setForm] = useState<TokenForm>({
    name: '',
    scope: 'write',
    projectId: session?.projectId ?? '',
    days: '90',
  })
  const [fault, setFault] = useState<CallFault | null>(null)
  const [isBusy, setBusy] = useState(false)
  const set = (part: Partial<TokenForm>): void => setForm({ ...form, ...part })
  const byField = fault === null ? null : faultsByField(fault)
  const nameFault = byField?.get('name')

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      const { data } = await client.send<Made>('POST', '/tokens', { body: tokenInput(form) })
      void queries.invalidateQueries({ queryKey: keys.tokens })
      onMade(data)
    } catch (error) {
      setFault(faultOf(error))
      setBusy(false)
    }
  }
  const allProjects = session?.projectId === null ? [{ value: '', label: 'All projects' }] : []
  return (
    <Dialog
      title="Make an API token"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form={FORM_ID} disabled={isBusy || form.name.trim() === ''}>
            Make it
          </Button>
        </>
      }
    >
      <form id={FORM_ID} className="stack g4" onSubmit={event => void submit(event)}>
        <Field
          label="Name"
          hint="What it is for: ci-deploy"
          fault={nameFault && `${nameFault.message}. ${nameFault.remedy ?? ''}`}
        >
          {input => (
            <input
              {...input}
              className="input"
              autoComplete="off"
              maxLength={100}
              value={form.name}
              onChange={event => set({ name: event.target.value })}
            />
          )}
        </Field>
        <Field label="May" hint={SCOPE_WORDS[form.scope][1]}>
          {input => (
            <Select
              input={input}
              value={form.scope}
              onChange={scope => set({ scope })}
              options={scopesUpTo(session?.scopes ?? []).map(scope => ({
                value: scope,
                label: SCOPE_WORDS[scope][0],
                hint: SCOPE_WORDS[scope][1],
              }))}
            />
          )}
        </Field>
        <Field label="Project" hint="It sees and changes nothing of any other.">
          {input => (
            <Select
              input={input}
              value={form.projectId}
              onChange={projectId => set({ projectId })}
              options={[
                ...allProjects,
                ...(projects ?? []).map(({ id, name }) => ({ value: id, label: withMarks(name) })),
              ]}
            />
          )}
        </Field>
        <Field label="Ends">
          {input => (
            <Select
              input={input}
              value={form.days}
              onChange={days => set({ days })}
              options={ENDS.map(([value, label]) => ({ value, label }))}
            />
          )}
        </Field>
        {fault !== null && nameFault === undefined && (
          <Message id="new-token-fault" fault={`${fault.message} ${fault.remedy}`} />
        )}
      </form>
    </Dialog>
  )
}

function Show({ made, onClose }: { readonly made: Made; readonly onClose: () => void }): ReactElement {
  return (
    <Dialog
      title={<Text most={40}>{made.name}</Text>}
      onClose={onClose}
      isDismissible={false}
      actions={
        <>
          <CopyButton text={made.token} what="token" iconOnly={false} size="md" />
          <Button kind="primary" onClick={onClose}>
            I have kept it
          </Button>
        </>
      }
    >
      <div className="stack g4">
        <p className="t2">
          This is the only time that it is shown: only its hash is kept here. Whoever has it can do what it may.
        </p>
        <Quote what="token">{made.token}</Quote>
        <p className="hint">
          For the command line: put it into a file that only you can read, and name that with <code>--token-file</code>.
        </p>
      </div>
    </Dialog>
  )
}
