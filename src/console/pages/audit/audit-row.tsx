/** One change: when, who, what in a sentence, what is true of it now, and how long it took to be live. It opens to what it changed. */
import { ChevronDown } from 'lucide-react'
import { type ReactElement, type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import type { AuditRow as Row } from '../../../api/audit.ts'
import { href } from '../../places.ts'
import { Avatar } from '../../ui/avatar.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Text } from '../../ui/text.tsx'
import { Took } from '../../ui/time.tsx'
import type { Standing } from '../../verdict/standing.ts'
import { VerdictMark } from '../../verdict/verdict-mark.tsx'
import { actorWords } from '../../words/change.ts'
import { clockWords, fullWords } from '../../words/time.ts'
import { auditChanges, auditSentence, fieldWords, isToBeLive, NOT_MEASURED, slowestWords } from './audit-words.ts'

type AuditRowProps = {
  readonly row: Row
  readonly names: ReadonlyMap<string, string>
  /** Of what it was done to, as that is now; null: another change came after it, or it was done to nothing that has a verdict. */
  readonly standing: Standing | null
}

export function AuditRow({ row, names, standing }: AuditRowProps): ReactElement {
  const [isOpen, setOpen] = useState(false)
  const { actor, at } = row
  const { verb, name, rest, target } = auditSentence(row, names)
  const who = actorWords(row)
  const id = `audit-${row.id}`
  const bold =
    name === null ? null : (
      <b>
        <Text most={48}>{name}</Text>
      </b>
    )
  return (
    <li>
      <time dateTime={at} title={fullWords(new Date(at))}>
        {clockWords(new Date(at))}
      </time>
      <Avatar name={who} isProgram={actor.kind !== 'session'} />
      <span className="strong trunc hide-sm">
        <Text most={28}>{who}</Text>
      </span>
      <span className="what">
        <span className="show-sm strong">
          <Text most={28}>{who}</Text>{' '}
        </span>
        {verb}{' '}
        {target === null ? (
          bold
        ) : (
          <Link href={target.kind === 'node' ? href.node(target.id) : href.service(target.id)}>{bold}</Link>
        )}{' '}
        <Text most={60}>{rest}</Text>
      </span>
      <span className="outcome">
        <Outcome row={row} standing={standing} />
      </span>
      <button
        type="button"
        className="btn sm icon quiet"
        aria-expanded={isOpen}
        aria-controls={id}
        aria-label={`What ${who} changed at ${clockWords(new Date(at))}`}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon of={ChevronDown} />
      </button>
      {isOpen && <Detail row={row} id={id} />}
    </li>
  )
}

/** What became of it: the verdict of now where it is the last change, and the time that this change took. */
function Outcome({ row, standing }: Omit<AuditRowProps, 'names'>): ReactElement | null {
  if (standing === null && row.removedRoutes.length > 0) return <span className="gone">gone</span>
  const { savedToLive: took } = row
  const mark = standing !== null && <VerdictMark standing={standing} />
  if (took !== null)
    return (
      <>
        {mark}
        <span className="t3 nowrap" title={slowestWords(took)}>
          {standing?.shown === 'live' ? '' : 'live in '}
          <Took ms={took.ms} />
        </span>
      </>
    )
  // What is not live has not taken its time yet.
  const isOver = standing === null || standing.shown === 'live'
  return (
    <>
      {mark}
      {isOver && isToBeLive(row) && (
        <span
          className="t3 nowrap"
          title="A later change overtook it, it made no route live, or it was over 30 days ago."
        >
          {NOT_MEASURED}
        </span>
      )}
    </>
  )
}

function Detail({ row, id }: { readonly row: Row; readonly id: string }): ReactElement {
  const changes = auditChanges(row)
  return (
    <dl className="chg open" id={id}>
      {changes.map(({ field, before, after }) => (
        <Fact key={field} name={fieldWords(field)}>
          {before !== null && (
            <del>
              <Text>{before}</Text>
            </del>
          )}
          {before !== null && after !== null && <span aria-hidden> → </span>}
          {after !== null && (
            <ins>
              <Text>{after}</Text>
            </ins>
          )}
        </Fact>
      ))}
      {(row.savedToLive !== null || isToBeLive(row)) && (
        <Fact name="saved to live">
          {row.savedToLive === null ? (
            NOT_MEASURED
          ) : (
            <>
              <Took ms={row.savedToLive.ms} />, <Text>{slowestWords(row.savedToLive)}</Text>
            </>
          )}
        </Fact>
      )}
      {row.revision !== null && <Fact name="revision">{row.revision}</Fact>}
      {row.requestId !== null && (
        <Fact name="request">
          <Text>{row.requestId}</Text>
        </Fact>
      )}
      <Fact name="by">
        <Text>{`${row.actor.kind} ${row.actor.id}`}</Text>
      </Fact>
    </dl>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): ReactElement {
  return (
    <>
      <dt>
        <Text>{name}</Text>
      </dt>
      <dd>{children}</dd>
    </>
  )
}
