/** What will change before it is saved: what clients use, each line of the plan, and the same from a terminal. */
import type { ReactElement, ReactNode } from 'react'
import type { Plan, PlanChange, PlanValue } from '../../../api/plan.ts'
import { Text } from '../../ui/text.tsx'
import { useVoices } from '../../verdict/use-standing.ts'
import { counted, listed } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'

type WillChangeProps = {
  readonly plan: Plan | null
  /** The plan is of the form as it is. */
  readonly isCurrent: boolean
  /** Null: an edit is not made by `fairlead expose`. */
  readonly command: readonly string[] | null
}

export function WillChange({ plan, isCurrent, command }: WillChangeProps): ReactElement {
  const address = plan?.changes.find(({ what }) => /(^|\.)address$/.test(what))
  const rest = (plan?.changes ?? []).filter(change => change !== address)
  return (
    <aside className="contents" aria-label="What will change">
      <h2>What will change</h2>
      {plan === null ? (
        <p className="hint">Stands here as soon as the fields are filled.</p>
      ) : (
        <>
          {!isCurrent && (
            <p className="hint">As of the last valid entry. It follows again once every field is right.</p>
          )}
          {address?.after !== undefined && address.after !== null && (
            <div className="stack g1">
              <p className="t3 xs">Clients will use</p>
              <p className="mono strong">
                <Text>{String(address.after)}</Text>
              </p>
              {address.before !== undefined && address.before !== null && (
                <p className="t3 xs mono">
                  was <Text>{String(address.before)}</Text>
                </p>
              )}
            </div>
          )}
          <ul className="diff">
            {rest.map(change => (
              <Row
                key={`${change.op} ${change.what} ${valueWords(change.before)} ${valueWords(change.after)}`}
                change={change}
              />
            ))}
            {rest.length === 0 && address === undefined && <Sign sign="=">Nothing changes.</Sign>}
            <Sign sign="=">No other route changes.</Sign>
            <SilentNodes />
          </ul>
        </>
      )}
      {command !== null && (
        <div className="stack g1">
          <p className="t3 xs">The same from a terminal</p>
          <div className="code block">
            <pre>{withMarks(command.map((line, at) => (at === 0 ? line : `  ${line}`)).join(' \\\n'))}</pre>
          </div>
        </div>
      )}
    </aside>
  )
}

function SilentNodes(): ReactElement | null {
  const silent = useVoices().filter(voice => voice.silent)
  if (silent.length === 0) return null
  const names = listed(silent.map(({ name }) => withMarks(name)))
  return (
    <Sign sign="!" tone="w">
      {names} {silent.length === 1 ? 'is silent: it gets' : 'are silent: they get'} this when{' '}
      {silent.length === 1 ? 'it is' : 'they are'} back.
    </Sign>
  )
}

const SIGNS = { add: '+', change: '~', remove: '−', note: '!' } as const

function Row({ change: { op, what, before, after } }: { readonly change: PlanChange }): ReactElement {
  if (op === 'note')
    return (
      <Sign sign="!" tone="w">
        <Text>{`${what.charAt(0).toUpperCase()}${what.slice(1)}.`}</Text>
      </Sign>
    )
  const name = fieldWords(what)
  return (
    <Sign sign={SIGNS[op]} {...(op === 'remove' ? { tone: 'w' } : {})}>
      {name}{' '}
      {op === 'change' && (
        <>
          <span className="t3">
            <Text most={60}>{valueWords(before)}</Text>
          </span>{' '}
          →{' '}
        </>
      )}
      <b>
        <Text most={80}>{valueWords(op === 'remove' ? before : after)}</Text>
      </b>
    </Sign>
  )
}

function Sign({
  sign,
  tone = sign === '=' ? 'n' : '',
  children,
}: {
  sign: string
  tone?: string
  children: ReactNode
}): ReactElement {
  return (
    <li>
      <span className={`sig ${tone}`} aria-hidden>
        {sign}
      </span>
      <p>{children}</p>
    </li>
  )
}

const NAMES: Readonly<Record<string, string>> = {
  service: 'Service',
  endpoint: 'Backend',
  project: 'Project',
  protocol: 'Protocol',
  port: 'Backend port',
  isPublic: 'Public',
  externalPort: 'Public port',
  externalPortEnd: 'to',
  shared: 'Shared port',
  domain: 'Domain',
  pathPrefix: 'Path',
  redirectToHttps: 'Redirect to HTTPS',
  sniHostname: 'Host name',
  tls: 'TLS',
  certResolver: 'Certificate resolver',
  allowCidrs: 'May connect',
  maxConnectionsPerClient: 'Connections per client',
  proxyProtocol: 'PROXY protocol',
  healthCheck: 'Health check',
  probe: 'Probe',
  expiresAt: 'Ends',
  preset: 'Preset',
}

export const fieldWords = (what: string): string => {
  const field = what.replace(/^ports\[\d+\]\./, '')
  return Object.hasOwn(NAMES, field) ? (NAMES[field] ?? field) : field.charAt(0).toUpperCase() + field.slice(1)
}

export function valueWords(value: PlanValue | undefined): string {
  if (value === undefined || value === null) return 'none'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (Array.isArray(value))
    return value.length === 0 ? 'anyone' : value.length > 3 ? counted(value.length, 'network') : value.join(', ')
  return String(value)
}
