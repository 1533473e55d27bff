/** How clients reach it: by domain, by host name, by a number. */
import type { ReactElement } from 'react'
import { Segments, Switch } from '../../ui/controls.tsx'
import { Field } from '../../ui/field.tsx'
import { counted } from '../../words/count.ts'
import { type Door, type FormField, type PortForm, withByName } from './form.ts'
import { usePortForm } from './form-context.ts'

type TextProps = {
  readonly field: FormField & keyof PortForm
  readonly label: string
  readonly hint?: string
  readonly placeholder?: string
  readonly good?: string | undefined
  readonly isNumber?: boolean
}

/** A line of text of the form. */
export function TextField({ field, label, hint, placeholder, good, isNumber = false }: TextProps): ReactElement {
  const { form, set, faultOf, leave, wasOf } = usePortForm()
  const value = form[field]
  return (
    <Field label={label} aside={wasOf(field)} fault={faultOf(field)} hint={hint} good={good}>
      {input => (
        <input
          {...input}
          className="input mono"
          {...(isNumber ? { inputMode: 'numeric' as const } : {})}
          placeholder={placeholder}
          value={typeof value === 'string' ? value : ''}
          onChange={event => set({ [field]: event.target.value })}
          onBlur={() => leave(field)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
        />
      )}
    </Field>
  )
}

export function HttpFields(): ReactElement {
  const { form, set } = usePortForm()
  return (
    <>
      <div className="cols c31">
        <TextField
          field="domain"
          label="Domain"
          placeholder="app.example.com"
          hint="Its DNS record points to the proxy."
        />
        <TextField field="pathPrefix" label="Path" placeholder="/" />
      </div>
      <Switch
        checked={form.redirectToHttps}
        onChange={redirectToHttps => set({ redirectToHttps })}
        label="Redirect to HTTPS"
        hint="Plain HTTP is answered with the address that begins with https."
      />
      <TextField
        field="certResolver"
        label="Certificate resolver"
        hint="Of Traefik’s static configuration. Empty: that of the node, or the certificate that it has."
      />
    </>
  )
}

/** `known`: the answer of the control plane to the form as it is had no fault. */
export function TcpFields({ known }: { readonly known: boolean }): ReactElement {
  const { form, set, replace, presets, pools, wasOf, faultOf } = usePortForm()
  const preset = presets.find(({ id }) => id === form.preset)
  const maySni = preset === undefined || preset.sni
  const shared = sharedOf(pools)
  return (
    <>
      {maySni && (
        <Switch
          checked={form.byName}
          onChange={byName => replace(withByName(form, byName, shared))}
          label="Route by host name (SNI)"
          hint="Many services can share one port, each with its own name. Clients must use TLS."
        />
      )}
      {form.byName && (
        <TextField
          field="sniHostname"
          label="SNI host name"
          placeholder="db.example.com"
          hint="The name that clients connect to."
          good={known ? 'Free. Point its DNS record at the proxy.' : undefined}
        />
      )}
      {maySni && (
        <>
          <Switch
            checked={form.passthrough}
            onChange={passthrough => set({ passthrough })}
            label={
              <>
                TLS passthrough <span className="t3 sm">{wasOf('passthrough')}</span>
              </>
            }
            hint={
              form.byName
                ? 'On: the backend holds the certificate. Off: the proxy ends TLS with a certificate of its own.'
                : 'On: only TLS clients will get through. Off: bytes go through as they are, TLS or not.'
            }
          />
          {faultOf('passthrough') !== undefined && <p className="err rejected">{faultOf('passthrough')}</p>}
        </>
      )}
      {form.byName && !form.passthrough && (
        <TextField
          field="certResolver"
          label="Certificate resolver"
          hint="Of Traefik’s static configuration. Empty: the certificate that Traefik has for the name, else its default one."
        />
      )}
      <NumberFields sharedPorts={form.byName ? shared : []} known={known} />
    </>
  )
}

const sharedOf = (
  pools: readonly { protocol: string; shared: readonly { port: number; declared: boolean }[] }[],
): readonly number[] =>
  pools
    .filter(({ protocol }) => protocol === 'tcp')
    .flatMap(({ shared }) => shared.filter(({ declared }) => declared).map(({ port }) => port))

/** `sharedPorts`: numbers that a host name may share; none: that is no choice. */
export function NumberFields({
  sharedPorts,
  known,
}: {
  readonly sharedPorts: readonly number[]
  readonly known: boolean
}): ReactElement {
  const { form, set, pools } = usePortForm()
  const pool = pools.find(({ protocol }) => protocol === form.protocol)
  const hosts = pool?.shared.find(({ port }) => String(port) === form.shared)?.hosts
  const isFull = pool !== undefined && pool.next === null
  const doors: readonly Door[] = sharedPorts.length > 0 ? ['shared', 'auto', 'wish'] : ['auto', 'wish']
  const [firstShared] = sharedPorts
  const labels: Readonly<Record<Door, string>> = {
    shared: sharedPorts.length === 1 ? `Shared ${firstShared}` : 'Shared',
    auto: pool?.next == null ? 'Next free' : `Next free, ${pool.next}`,
    wish: 'I choose',
  }
  return (
    <>
      <div className="field">
        <span className="lab" id="public-port">
          Public port
        </span>
        <Segments
          label="Public port"
          value={form.door}
          onChange={door =>
            set({ door, ...(door === 'shared' && form.shared === '' ? { shared: String(firstShared ?? '') } : {}) })
          }
          choices={doors.map(value => ({ value, label: labels[value] }))}
        />
        {form.door === 'shared' && hosts !== undefined && (
          <p className="hint">{hosts === 0 ? 'No other name is on it yet.' : `${counted(hosts, 'name')} on it now.`}</p>
        )}
        {form.door === 'auto' && isFull && (
          <p className="err rejected">
            Every number of the pool is taken or rests.
            {firstShared === undefined ? '' : ` ${firstShared} is shared: route by host name.`}
            {pool.resting > 0 && ` ${counted(pool.resting, 'number')} will be free again.`}
          </p>
        )}
      </div>
      {form.door === 'shared' && sharedPorts.length > 1 && (
        <Segments
          label="Shared port"
          value={form.shared}
          onChange={value => set({ shared: value })}
          choices={sharedPorts.map(port => ({ value: String(port), label: port }))}
        />
      )}
      {form.door === 'wish' && (
        <div className="cols c31">
          <TextField
            field="wish"
            label="Wanted port"
            isNumber
            hint={pool === undefined ? '' : `The pool is ${pool.range.replaceAll('-', ' to ').replaceAll(',', ', ')}.`}
            good={
              known && form.wish !== ''
                ? `${form.wish}${form.wishEnd === '' ? ' is' : ` to ${form.wishEnd} are`} yours.`
                : undefined
            }
          />
          {!form.byName && <TextField field="wishEnd" label="to" isNumber placeholder="one" />}
        </div>
      )}
    </>
  )
}
