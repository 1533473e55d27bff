/**
 * The drawer in which a port is exposed, added or edited: form left, what will change right, and after saving the port itself.
 *
 *   new      POST /services           a service with its first port
 *   added    POST /services/:id/ports
 *   edited   PATCH /services/:id/ports/:portId, with the version that was read
 */
import { type ReactElement, useEffect, useMemo, useRef, useState } from 'react'
import type { Plan } from '../../../api/plan.ts'
import type { Port } from '../../../api/port.ts'
import type { Service } from '../../../api/service.ts'
import { makeKey } from '../../data/client.ts'
import { keys } from '../../data/keys.ts'
import { type CallFault, isUncertain, sentence } from '../../data/problem.ts'
import { usePools, usePresets } from '../../data/queries.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { useCommand } from '../../keyboard/use-command.ts'
import { Button } from '../../ui/button.tsx'
import { ErrorCard, faultOf as faultOfError, Loading } from '../../ui/states.tsx'
import { DrawerBody, DrawerFoot, DrawerFrame, focusFirstField } from '../../widgets/drawer.tsx'
import { counted } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import { Conflict } from './conflict.tsx'
import { ExpiryField, LimitFields, ProbeField, WhoField } from './fields-more.tsx'
import { HttpFields, NumberFields, TcpFields } from './fields-reach.tsx'
import { BackendsField, NameField, PortField, PresetField, ProjectField, ProtocolField } from './fields-what.tsx'
import {
  changedFields,
  exposeCommand,
  type FormField,
  fieldOfFault,
  formFaults,
  formOfPort,
  type PortForm,
  portInput,
  portPatch,
  serviceInput,
} from './form.ts'
import { FormProvider, type FormView } from './form-context.ts'
import { rememberProtocol } from './last-protocol.ts'
import { isNameTaken } from './offered-name.ts'
import { valueWords } from './plan-lines.ts'
import { AfterSaving, type Saved } from './saved-card.tsx'
import { type Asked, useDryRun } from './use-dry-run.ts'
import { useOfferedName } from './use-offered-name.ts'
import { WillChange } from './will-change.tsx'
import '../service/service.css'
import './expose.css'

export type Target =
  | { readonly kind: 'new' }
  | { readonly kind: 'added'; readonly service: Service }
  | { readonly kind: 'edited'; readonly service: Service; readonly port: Port; readonly etag: string }

/** What is to be done, and the form that it begins with. */
export type Work = { readonly target: Target; readonly initial: PortForm }

type PortDrawerProps = {
  readonly kind: Target['kind']
  /** Null: it is being read. */
  readonly work: Work | null
  /** Given: it could not be read. */
  readonly failed?: { readonly error: unknown; readonly onRetry: () => void } | undefined
  readonly onClose: () => void
}

const TITLES = { new: 'Expose a port', added: 'Add a port', edited: 'Edit the port' } as const
const SAVED_TITLES = { new: 'Exposed', added: 'Added', edited: 'Saved' } as const
const BUTTONS = { new: 'Expose', added: 'Add', edited: 'Save' } as const
/** Of one look at the form, so that "in 2 hours" is the same moment in the dry run and when it is saved, as long as nothing is typed. */
const MINUTE_MS = 60_000
const UNCHANGED: Plan = { changes: [], problems: [] }

function askOf(target: Target, form: PortForm, now: number): Asked {
  switch (target.kind) {
    case 'new':
      return { method: 'POST', path: '/services', body: serviceInput(form, now) }
    case 'added':
      return { method: 'POST', path: `/services/${target.service.id}/ports`, body: portInput(form, now) }
    case 'edited': {
      const { service, port } = target
      return { method: 'PATCH', path: `/services/${service.id}/ports/${port.id}`, body: portPatch(form, port, now) }
    }
    default: {
      const never: never = target
      return never
    }
  }
}

export function PortDrawer({ kind, work, failed, onClose }: PortDrawerProps): ReactElement {
  const presets = usePresets()
  const pools = usePools()
  const broken = [presets, pools].find(({ error, data }) => error !== null && data === undefined)
  const trouble = failed ?? (broken && { error: broken.error, onRetry: () => void broken.refetch() })
  const [saved, setSaved] = useState<Saved | null>(null)
  const isReady = work !== null && presets.data !== undefined && pools.data !== undefined
  return (
    <DrawerFrame title={saved === null ? titleOf(kind, work) : SAVED_TITLES[kind]} onClose={onClose}>
      {saved !== null ? (
        <AfterSaving saved={saved} onClose={onClose} />
      ) : isReady && trouble === undefined ? (
        <Editor {...work} presets={presets.data ?? []} pools={pools.data ?? []} onClose={onClose} onSaved={setSaved} />
      ) : (
        <DrawerBody>
          <div className="form">
            {trouble === undefined ? (
              <Loading what="the form">{null}</Loading>
            ) : (
              <ErrorCard error={trouble.error} what="The form" onRetry={trouble.onRetry} />
            )}
          </div>
        </DrawerBody>
      )}
    </DrawerFrame>
  )
}

const titleOf = (kind: Target['kind'], work: Work | null): string =>
  work === null || work.target.kind === 'new'
    ? TITLES[kind]
    : `${TITLES[kind]} of ${withMarks(work.target.service.name)}`

type EditorProps = Pick<FormView, 'presets' | 'pools'> &
  Work & { readonly onClose: () => void; readonly onSaved: (saved: Saved) => void }

function Editor({ target: first, initial, presets, pools, onClose, onSaved }: EditorProps): ReactElement {
  const [target, setTarget] = useState(first)
  useEffect(focusFirstField, [])
  const client = useClient()
  const { queries } = useRuntime()
  const [typed, setTyped] = useState(initial)
  const offer = useOfferedName(typed)
  const form = target.kind === 'new' ? offer.form : typed
  const [left, setLeft] = useState<ReadonlySet<FormField>>(new Set())
  const [sendFault, setSendFault] = useState<CallFault | null>(null)
  const [theirs, setTheirs] = useState<{ readonly port: Port; readonly etag: string } | null>(null)
  const [isBusy, setBusy] = useState(false)
  const now = useMemo(() => Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS, [])
  const before = useMemo(() => (target.kind === 'edited' ? formOfPort(target.port) : null), [target])
  const own = formFaults(form, target.kind === 'new' ? 'service' : 'port')
  const changed = before === null ? [] : changedFields(form, before)
  const isUnchanged = target.kind === 'edited' && changed.length === 0
  const asked = own.size === 0 && !isUnchanged ? askOf(target, form, now) : null
  const dry = useDryRun(asked)
  useEffect(() => offer.refuse(dry.problems))

  const told = new Map<FormField, string>(own)
  const atFoot: string[] = []
  for (const { field, code, message, remedy } of dry.problems) {
    // The next number is on its way.
    if (isNameTaken({ field, code }) && target.kind === 'new' && !form.isOwnName) continue
    const words = [sentence(message), remedy === undefined ? '' : sentence(remedy)].filter(Boolean).join(' ')
    const of = fieldOfFault(field)
    const place = of === 'wish' && form.door !== 'wish' ? null : of
    if (place === null || (place === 'name' && target.kind !== 'new')) atFoot.push(words)
    else if (!told.has(place)) told.set(place, words)
  }
  const isWrong = own.size > 0 || dry.problems.length > 0
  const change = (next: PortForm): void => {
    setTyped(next)
    setSendFault(null)
  }
  // That a name is free says nothing of one that is ours already.
  const isKnown =
    dry.isCurrent &&
    !isWrong &&
    (before === null || before.sniHostname !== form.sniHostname || before.wish !== form.wish)
  const view: FormView = {
    form,
    presets,
    pools,
    isEdit: target.kind === 'edited',
    set: part => change({ ...form, ...part }),
    replace: change,
    // What the control plane found is told at once: it has been asked about something that was filled in.
    faultOf: field => (left.has(field) || !own.has(field) ? told.get(field) : undefined),
    leave: field => setLeft(known => (known.has(field) ? known : new Set([...known, field]))),
    wasOf: field => {
      if (before === null || !changed.includes(field)) return undefined
      const was = before[field]
      const words =
        typeof was === 'string' || typeof was === 'boolean'
          ? valueWords(was === '' ? null : was)
          : valueWords(target.kind === 'edited' ? target.port.allowCidrs : [])
      return `was ${withMarks(words)}`
    },
  }

  // The same key for the same form: a second press, or one after an answer that was lost, makes nothing twice.
  const attempt = useRef<{ readonly of: string; readonly key: string }>({ of: '', key: '' })
  const save = async (): Promise<void> => {
    if (own.size > 0) {
      setLeft(new Set([...left, ...own.keys()]))
      focusFirstFault()
      return
    }
    const wish = askOf(target, form, now)
    const of = JSON.stringify(wish)
    if (attempt.current.of !== of) attempt.current = { of, key: makeKey() }
    setBusy(true)
    setSendFault(null)
    const sentAt = performance.now()
    try {
      const { data } = await client.send<Service | Port>(wish.method, wish.path, {
        body: wish.body,
        idempotencyKey: attempt.current.key,
        ...(target.kind === 'edited' ? { ifMatch: target.etag } : {}),
      })
      if (target.kind === 'new') rememberProtocol(form.protocol)
      const port = 'ports' in data ? data.ports[0] : data
      const name = 'ports' in data ? data.name : target.kind === 'new' ? form.name : target.service.name
      for (const queryKey of [keys.allServices, keys.allRoutes, keys.allPools, keys.overview, keys.projects])
        void queries.invalidateQueries({ queryKey })
      if (port === undefined) onClose()
      else onSaved({ port, name, sentAt })
    } catch (error) {
      const fault = faultOfError(error)
      setBusy(false)
      if (fault.status === 412 && target.kind === 'edited') return void readTheirs(target)
      if (target.kind === 'new') offer.refuse(fault.fields)
      setSendFault(fault)
    }
  }
  const readTheirs = async ({ service, port }: Target & { readonly kind: 'edited' }): Promise<void> => {
    try {
      const { data, etag } = await client.get<Port>(`/services/${service.id}/ports/${port.id}`)
      setTheirs({ port: data, etag: etag ?? '' })
    } catch (error) {
      setSendFault(faultOfError(error))
    }
  }
  useCommand('save', () => void save())

  // What may have been saved is found by the next check: the same is sent once more all the same, with its key.
  const isWorthRepeating = sendFault !== null && isUncertain(sendFault)
  const shownFaults = [...told.keys()].filter(field => left.has(field) || !own.has(field)).length + atFoot.length
  const foot = footWords({
    sendFault,
    atFoot,
    faultCount: shownFaults,
    isWhole: own.size === 0,
    isCurrent: dry.isCurrent,
    fault: dry.fault,
    isUnchanged,
  })
  return (
    <>
      <DrawerBody
        aside={
          <WillChange
            plan={isUnchanged ? UNCHANGED : dry.plan}
            isCurrent={isUnchanged || (dry.isCurrent && !isWrong)}
            command={target.kind === 'new' ? exposeCommand(form) : null}
          />
        }
      >
        <FormProvider value={view}>
          <form
            className="form"
            noValidate
            onSubmit={event => {
              event.preventDefault()
              void save()
            }}
          >
            {theirs !== null && target.kind === 'edited' && (
              <Conflict
                before={formOfPort(target.port)}
                mine={form}
                theirs={formOfPort(theirs.port)}
                updatedAt={theirs.port.updatedAt}
                onResolved={merged => {
                  setTarget({ ...target, port: theirs.port, etag: theirs.etag })
                  change(merged)
                  setTheirs(null)
                }}
              />
            )}
            <section>
              {target.kind === 'new' ? (
                <div className="cols c13">
                  <ProtocolField />
                  <NameField />
                </div>
              ) : (
                <ProtocolField />
              )}
              <PresetField />
              {target.kind === 'new' && <ProjectField />}
            </section>
            <section>
              <h2>Where it runs</h2>
              {target.kind === 'new' ? (
                <div className="cols c31">
                  <BackendsField />
                  <PortField />
                </div>
              ) : (
                <PortField />
              )}
            </section>
            <section>
              <h2>How clients reach it</h2>
              {form.protocol === 'http' && <HttpFields />}
              {form.protocol === 'tcp' && <TcpFields known={isKnown} />}
              {form.protocol === 'udp' && <NumberFields sharedPorts={[]} known={isKnown} />}
            </section>
            <section>
              {form.protocol === 'tcp' && <WhoField />}
              {form.protocol === 'tcp' && <LimitFields />}
              <ExpiryField />
              <ProbeField />
            </section>
            <button type="submit" hidden aria-hidden tabIndex={-1} />
          </form>
        </FormProvider>
      </DrawerBody>
      <DrawerFoot>
        <p role="status" className={sendFault !== null || atFoot.length > 0 ? 'err rejected' : ''}>
          {foot}
        </p>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          shortcut="⌘↵"
          disabled={isBusy || isUnchanged || (isWrong && left.size > 0 && !isWorthRepeating)}
          onClick={() => void save()}
        >
          {BUTTONS[target.kind]}
        </Button>
      </DrawerFoot>
    </>
  )
}

function focusFirstFault(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>('.drawer [aria-invalid="true"]')?.focus())
}

type Foot = {
  readonly sendFault: CallFault | null
  readonly atFoot: readonly string[]
  /** Faults that are told: of fields that were left, or found by the control plane. */
  readonly faultCount: number
  readonly isWhole: boolean
  readonly isCurrent: boolean
  readonly fault: CallFault | null
  readonly isUnchanged: boolean
}

function footWords({ sendFault, atFoot, faultCount, isWhole, isCurrent, fault, isUnchanged }: Foot): string {
  if (sendFault !== null) {
    const [first] = sendFault.fields
    const what = first === undefined ? sendFault.message : sentence(first.message)
    // Nothing is claimed that is not known: the answer may have been lost after it was done.
    if (isUncertain(sendFault))
      return `${what} Whether it was saved is not known. All that was typed is kept; send it again, it is made only once.`
    const nothing = /nothing was changed/i.test(what) ? 'All' : 'Nothing was changed, and all'
    return `${what} ${sendFault.remedy} ${nothing} that was typed is kept.`
  }
  if (atFoot.length > 0) return atFoot.join(' ')
  if (faultCount > 0) return `${counted(faultCount, 'field needs', 'fields need')} a look.`
  if (!isWhole) return 'Nothing is changed yet.'
  if (fault !== null) return `${fault.message} ${fault.remedy}`
  if (isUnchanged) return 'Nothing is changed yet.'
  return isCurrent ? 'Checked by the control plane. Nothing is changed yet.' : 'Being checked.'
}
