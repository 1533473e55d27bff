/** Somebody else has changed the port meanwhile: both values side by side, and field by field whose is to stay. */
import { type ReactElement, useState } from 'react'
import { Button } from '../../ui/button.tsx'
import { Segments } from '../../ui/controls.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { Shape } from '../../verdict/shapes.tsx'
import { contested, merge } from './conflict-rules.ts'
import type { FormField, PortForm } from './form.ts'
import { fieldWords } from './plan-lines.ts'

type ConflictProps = {
  readonly before: PortForm
  readonly mine: PortForm
  readonly theirs: PortForm
  readonly updatedAt: string
  readonly onResolved: (merged: PortForm) => void
}

export function Conflict({ before, mine, theirs, updatedAt, onResolved }: ConflictProps): ReactElement {
  const [kept, setKept] = useState<ReadonlyMap<FormField, 'mine' | 'theirs'>>(new Map())
  const fields = contested(before, mine, theirs)
  return (
    <section className="conflict">
      <div className="banner degraded">
        <Shape of="degraded" />
        <p className="grow">
          <b>Somebody changed this</b> <Ago at={updatedAt} suffix />.{' '}
          {fields.length === 0 ? 'Nothing that you changed is touched by it.' : 'Say whose value is to stay:'}
        </p>
      </div>
      {fields.map(field => (
        <div className="field" key={field}>
          <span className="lab">{fieldWords(field)}</span>
          <Segments
            label={fieldWords(field)}
            value={kept.get(field) ?? 'mine'}
            onChange={whose => setKept(new Map(kept).set(field, whose))}
            choices={[
              { value: 'mine', label: <Text most={40}>{`mine: ${formWords(mine[field])}`}</Text> },
              { value: 'theirs', label: <Text most={40}>{`theirs: ${formWords(theirs[field])}`}</Text> },
            ]}
          />
        </div>
      ))}
      <div className="row">
        <Button kind="primary" onClick={() => onResolved(merge(before, mine, theirs, kept))}>
          Go on with these
        </Button>
      </div>
    </section>
  )
}

function formWords(value: PortForm[FormField]): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (typeof value === 'string') return value === '' ? 'none' : value
  return value.length === 0 ? 'none' : value.map(one => (typeof one === 'string' ? one : one.address)).join(', ')
}
