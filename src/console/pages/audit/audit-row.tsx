/** One change: when, who, what in a sentence, and what is true of it now. It opens to what it changed. */
import { ChevronDown } from 'lucide-react'
import { type ReactElement, type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import type { AuditRow as Row } from '../../../api/audit.ts'
import { href } from '../../places.ts'
import { Avatar } from '../../ui/avatar.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Text } from '../../ui/text.tsx'
import { clockWords, fullWords } from '../../words/time.ts'
import { auditChanges, auditSentence, fieldWords } from './audit-words.ts'

type AuditRowProps = {
  readonly row: Row
  readonly names: ReadonlyMap<string, string>
  /** A verdict, `gone`; null: it says nothing of what is now. */
  readonly outcome: ReactNode
}

export function AuditRow({ row, names, outcome }: AuditRowProps): ReactElement {
  const [isOpen, setOpen] = useState(false)
  const { actor, at } = row
  const { verb, name, rest, target } = auditSentence(row, names)
  const who = actor.name ?? actor.id
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
      <span className="hide-sm">{outcome}</span>
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
