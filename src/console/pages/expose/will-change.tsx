/** What will change before it is saved: what clients use, each line of the plan, and the same from a terminal. */
import type { ReactElement } from 'react'
import type { Plan } from '../../../api/plan.ts'
import { Text } from '../../ui/text.tsx'
import { useVoices } from '../../verdict/use-standing.ts'
import { listed } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import { addressOf, type PlanLine, planLines } from './plan-lines.ts'

type WillChangeProps = {
  readonly plan: Plan | null
  /** The plan is of the form as it is. */
  readonly isCurrent: boolean
  /** Null: an edit is not made by `fairlead expose`. */
  readonly command: readonly string[] | null
}

export function WillChange({ plan, isCurrent, command }: WillChangeProps): ReactElement {
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
          <PlanView plan={plan} />
        </>
      )}
      {command !== null && (
        <div className="stack g1">
          <p className="t3 xs">The same from a terminal</p>
          <div className="code block">
            <pre tabIndex={0}>{command.map((line, at) => withMarks(at === 0 ? line : `  ${line}`)).join(' \\\n')}</pre>
          </div>
        </div>
      )}
    </aside>
  )
}

function PlanView({ plan }: { readonly plan: Plan }): ReactElement {
  const voices = useVoices()
  const address = addressOf(plan)
  const lines = planLines(plan, voices.length)
  const silent = voices.filter(voice => voice.silent)
  return (
    <>
      {address !== null && (
        <div className="stack g1">
          <p className="t3 xs">{address.after == null ? 'Clients will not reach it any more' : 'Clients will use'}</p>
          {address.after != null && (
            <p className="mono strong">
              <Text>{String(address.after)}</Text>
            </p>
          )}
          {address.before != null && (
            <p className="t3 xs mono">
              was <Text>{String(address.before)}</Text>
            </p>
          )}
        </div>
      )}
      <ul className="diff">
        {lines.map(line => (
          <Line key={`${line.sign} ${line.text} ${line.value ?? ''} ${line.code ?? ''}`} line={line} />
        ))}
        {lines.length === 0 && address === null && <Line line={{ sign: '=', text: 'Nothing changes.' }} />}
        {(lines.length > 0 || address !== null) && <Line line={{ sign: '=', text: 'No other route changes.' }} />}
        {silent.length > 0 && (
          <Line
            line={{
              sign: '!',
              text: `${listed(silent.map(({ name }) => name))} ${silent.length === 1 ? 'is silent: it gets this when it is back.' : 'are silent: they get this when they are back.'}`,
            }}
          />
        )}
      </ul>
    </>
  )
}

const TONES: Readonly<Record<PlanLine['sign'], string>> = { '+': '', '~': '', '−': 'w', '!': 'w', '=': 'n' }

/** One line of a plan, here and where something is deleted. */
export function Line({ line: { sign, text, code, before, value } }: { readonly line: PlanLine }): ReactElement {
  // `Service orders-db with 2 backends`: of what is made, the name comes first; of a field, its value last.
  const isMade = sign === '+' && value !== undefined && /^(?:Service|[A-Z]+ route)/.test(value)
  const bold = value !== undefined && (
    <b>
      <Text most={80}>{value}</Text>
    </b>
  )
  return (
    <li>
      <span className={`sig ${TONES[sign]}`} aria-hidden>
        {sign}
      </span>
      <p>
        {isMade && <>{bold} </>}
        {code !== undefined && !isMade && (
          <>
            <code>
              <Text most={60}>{code}</Text>
            </code>
            ,{' '}
          </>
        )}
        <Text>{text}</Text>{' '}
        {isMade && code !== undefined && (
          <code>
            <Text most={60}>{code}</Text>
          </code>
        )}
        {before !== undefined && (
          <>
            <span className="t3">
              <Text most={60}>{before}</Text>
            </span>{' '}
            →{' '}
          </>
        )}
        {!isMade && bold}
      </p>
    </li>
  )
}
