/** What it is and where it runs. */
import type { ReactElement } from 'react'
import { useProjects } from '../../data/queries.ts'
import { nextByKey } from '../../ui/controls.tsx'
import { Field } from '../../ui/field.tsx'
import { Tile } from '../../ui/tile.tsx'
import { toast } from '../../ui/toast.tsx'
import { Shape } from '../../verdict/shapes.tsx'
import { Select } from '../../widgets/select.tsx'
import { counted } from '../../words/count.ts'
import { protocolName } from '../../words/preset.ts'
import { withMarks } from '../../words/safe-text.ts'
import { Chips } from './chips.tsx'
import { addBackends, droppedBy, presetsOf, withPreset, withProtocol } from './form.ts'
import { usePortForm } from './form-context.ts'

const PROTOCOLS = (['http', 'tcp', 'udp'] as const).map(value => ({ value, label: protocolName(value) }))

export function ProtocolField(): ReactElement {
  const { form, replace, presets, wasOf } = usePortForm()
  return (
    <Field label="Protocol" aside={wasOf('protocol')}>
      {input => (
        <Select
          input={input}
          value={form.protocol}
          options={PROTOCOLS}
          onChange={protocol => {
            const next = withProtocol(form, protocol, presets)
            const dropped = droppedBy(form, next)
            if (dropped.length > 0)
              toast({ text: `${protocolName(protocol)} has no use for ${dropped.join(' and ')}: left out` })
            replace(next)
          }}
        />
      )}
    </Field>
  )
}

export function NameField(): ReactElement {
  const { form, set, faultOf, leave } = usePortForm()
  return (
    <Field
      label="Name"
      fault={faultOf('name')}
      hint={
        form.isOwnName ? 'For people; can be changed later.' : 'Offered from preset and address, unless you type one.'
      }
    >
      {input => (
        <input
          {...input}
          className="input"
          data-first
          value={form.name}
          // The offered one is not mended letter by letter: who types takes its place.
          onFocus={event => !form.isOwnName && event.target.select()}
          onChange={event => set({ name: event.target.value, isOwnName: true })}
          onBlur={() => {
            if (form.name.trim() === '') set({ name: '', isOwnName: false })
            else leave('name')
          }}
          autoComplete="off"
          spellCheck={false}
          autoCapitalize="none"
        />
      )}
    </Field>
  )
}

/** Only where there is a choice: one project is no question. */
export function ProjectField(): ReactElement | null {
  const { form, set, faultOf } = usePortForm()
  const { data: projects } = useProjects()
  if (projects === undefined || projects.length < 2) return null
  return (
    <Field label="Project" fault={faultOf('projectId')}>
      {input => (
        <Select
          input={input}
          value={form.projectId}
          placeholder="Choose one"
          onChange={projectId => set({ projectId })}
          options={projects.map(({ id, name }) => ({ value: id, label: withMarks(name) }))}
        />
      )}
    </Field>
  )
}

export function PresetField(): ReactElement {
  const { form, replace, presets } = usePortForm()
  const choices = presetsOf(presets, form.protocol)
  const chosen = choices.find(({ id }) => id === form.preset)
  return (
    <>
      <div className="presets" role="radiogroup" aria-label="Preset">
        {choices.map((preset, at) => (
          <button
            key={preset.id}
            type="button"
            role="radio"
            className="preset"
            aria-checked={preset.id === form.preset}
            tabIndex={preset.id === form.preset || (chosen === undefined && at === 0) ? 0 : -1}
            onClick={() => replace({ ...withPreset(form, preset, presets), isOwnPreset: true })}
            onKeyDown={event => {
              const to = nextByKey(event.key, at, choices.length)
              const next = to === null ? undefined : choices[to]
              if (next === undefined) return
              event.preventDefault()
              replace({ ...withPreset(form, next, presets), isOwnPreset: true })
              const sibling = event.currentTarget.parentElement?.children[to ?? 0]
              if (sibling instanceof HTMLElement) sibling.focus()
            }}
          >
            <Tile preset={preset.id} protocols={[form.protocol]} />
            <span className="trunc">
              {preset.id === 'custom' ? `Other ${protocolName(form.protocol)}` : preset.title.split(',')[0]}
            </span>
          </button>
        ))}
      </div>
      {form.protocol === 'tcp' && chosen !== undefined && chosen.speaksFirst === 'server' && (
        <div className="banner degraded">
          <Shape of="degraded" />
          <p className="grow">
            <b>{chosen.title} speaks first,</b> before its client could send a host name. So it cannot share a port by
            name: it gets a port of its own.
          </p>
        </div>
      )}
    </>
  )
}

export function BackendsField(): ReactElement {
  const { form, set, replace, faultOf, leave, presets } = usePortForm()
  const { backends } = form
  const hint =
    backends.length === 0
      ? 'Where it listens, as the nodes reach it. A list can be pasted.'
      : backends.length === 1
        ? 'One backend. Loopback and link-local addresses are refused.'
        : `${counted(backends.length, 'backend')}, taken in turn by their weights.`
  return (
    <Field label="Backends" fault={faultOf('backends')} hint={hint}>
      {input => (
        <Chips
          input={input}
          placeholder="10.200.1.5"
          chips={backends.map(({ address, weight }) => ({ value: address, weight }))}
          onAdd={text => replace(addBackends(form, text, presets))}
          onRemove={value => set({ backends: backends.filter(({ address }) => address !== value) })}
          {...(backends.length > 1
            ? {
                onWeight: (value: string, weight: number) =>
                  set({ backends: backends.map(one => (one.address === value ? { ...one, weight } : one)) }),
              }
            : {})}
          onBlur={() => leave('backends')}
        />
      )}
    </Field>
  )
}

export function PortField(): ReactElement {
  const { form, set, faultOf, leave, wasOf } = usePortForm()
  return (
    <Field label="Port" aside={wasOf('port')} fault={faultOf('port')}>
      {input => (
        <input
          {...input}
          className="input mono"
          inputMode="numeric"
          value={form.port}
          onChange={event => set({ port: event.target.value.trim() })}
          onBlur={() => leave('port')}
          autoComplete="off"
        />
      )}
    </Field>
  )
}
