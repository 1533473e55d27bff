/** Who may connect, limits, how long: closed groups that tell their value in one line. */
import { ChevronRight } from 'lucide-react'
import { type ReactElement, type ReactNode, useState } from 'react'
import { Segments, Switch } from '../../ui/controls.tsx'
import { Field } from '../../ui/field.tsx'
import { Icon } from '../../ui/icon.tsx'
import { counted } from '../../words/count.ts'
import { Chips } from './chips.tsx'
import { TextField } from './fields-reach.tsx'
import type { Expiry, PortForm } from './form.ts'
import { usePortForm } from './form-context.ts'

type GroupProps = {
  readonly title: string
  readonly sum: ReactNode
  /** Until somebody opens or closes it. */
  readonly isOpenByItself?: boolean
  /** What is wrong in it is seen, whoever has closed it. */
  readonly hasFault?: boolean
  readonly children: ReactNode
}

function Group({ title, sum, isOpenByItself = false, hasFault = false, children }: GroupProps): ReactElement {
  const [chosen, setChosen] = useState<boolean | null>(null)
  const isOpen = hasFault || (chosen ?? isOpenByItself)
  return (
    <details
      className="more"
      open={isOpen}
      onToggle={({ currentTarget: { open } }) => {
        // That it was opened from here is told, too.
        if (open !== isOpen) setChosen(open)
      }}
    >
      <summary>
        <Icon of={ChevronRight} />
        {title}
        <span className="sum">{sum}</span>
      </summary>
      <div className="group">{children}</div>
    </details>
  )
}

export function WhoField(): ReactElement {
  const { form, set, faultOf, leave, presets, wasOf } = usePortForm()
  const isSensitive = presets.find(({ id }) => id === form.preset)?.sensitive === true
  const { allowCidrs } = form
  return (
    <Group
      title="Who may connect"
      sum={
        allowCidrs.length === 0 ? (
          <span className={isSensitive ? 'degraded-word' : ''}>anyone on the Internet</span>
        ) : (
          counted(allowCidrs.length, 'network')
        )
      }
      isOpenByItself={isSensitive}
      hasFault={faultOf('allowCidrs') !== undefined}
    >
      <Field
        label="Networks"
        aside={wasOf('allowCidrs')}
        fault={faultOf('allowCidrs')}
        hint="Addresses or networks of clients: 203.0.113.0/24. Empty: anyone."
      >
        {input => (
          <Chips
            input={input}
            placeholder="203.0.113.0/24"
            chips={allowCidrs.map(value => ({ value }))}
            onAdd={text => set({ allowCidrs: [...new Set([...allowCidrs, ...text.split(/[\s,;]+/).filter(Boolean)])] })}
            onRemove={value => set({ allowCidrs: allowCidrs.filter(one => one !== value) })}
            onBlur={() => leave('allowCidrs')}
          />
        )}
      </Field>
    </Group>
  )
}

export function LimitFields(): ReactElement {
  const { form, set, wasOf, faultOf } = usePortForm()
  return (
    <Group title="Limits" sum={limitWords(form)} hasFault={faultOf('maxConnectionsPerClient') !== undefined}>
      <TextField
        field="maxConnectionsPerClient"
        label="Connections per client"
        isNumber
        placeholder="no limit"
        hint="For each client address, approximate: it starts anew with each change of the configuration."
      />
      <div className="field">
        <span className="lab">
          PROXY protocol <span className="t3 sm">{wasOf('proxyProtocol')}</span>
        </span>
        <Segments
          label="PROXY protocol"
          value={form.proxyProtocol}
          onChange={proxyProtocol => set({ proxyProtocol })}
          choices={[
            { value: '', label: 'Off' },
            { value: '1', label: 'Version 1' },
            { value: '2', label: 'Version 2' },
          ]}
        />
        <p className="hint">
          Tells the backend the client’s address. A backend that does not expect it will not understand its clients.
        </p>
      </div>
    </Group>
  )
}

const limitWords = ({ maxConnectionsPerClient, proxyProtocol }: PortForm): string =>
  [
    maxConnectionsPerClient === '' ? '' : `${maxConnectionsPerClient} per client`,
    proxyProtocol === '' ? '' : `PROXY protocol ${proxyProtocol}`,
  ]
    .filter(Boolean)
    .join(', ') || 'none'

const EXPIRY_WORDS: Readonly<Record<Expiry, string>> = {
  never: 'never',
  '2h': 'in 2 hours',
  today: 'at midnight',
  date: 'on a day',
}

export function ExpiryField(): ReactElement {
  const { form, set, faultOf, leave, wasOf } = usePortForm()
  return (
    <Group
      title="Expiry"
      sum={
        form.expiry === 'date' && form.expiresAt !== '' ? form.expiresAt.replace('T', ' ') : EXPIRY_WORDS[form.expiry]
      }
      hasFault={faultOf('expiresAt') !== undefined}
    >
      <Segments
        label="Expiry"
        value={form.expiry}
        onChange={expiry => set({ expiry })}
        choices={[
          { value: 'never', label: 'Never' },
          { value: '2h', label: '2 hours' },
          { value: 'today', label: 'Today' },
          { value: 'date', label: 'A date' },
        ]}
      />
      {form.expiry === 'date' && (
        <Field
          label="Ends"
          aside={wasOf('expiresAt')}
          fault={faultOf('expiresAt')}
          hint="The nodes drop it then by themselves."
        >
          {input => (
            <input
              {...input}
              className="input"
              type="datetime-local"
              value={form.expiresAt}
              onChange={event => set({ expiresAt: event.target.value })}
              onBlur={() => leave('expiresAt')}
            />
          )}
        </Field>
      )}
    </Group>
  )
}

export function ProbeField(): ReactElement {
  const { form, set } = usePortForm()
  return (
    <Group title="Probe" sum={form.probe ? 'on' : 'off'}>
      <Switch
        checked={form.probe}
        onChange={probe => set({ probe })}
        label="Ask through the public port"
        hint="Now and then each node connects as a client would, and says when that fails."
      />
    </Group>
  )
}
