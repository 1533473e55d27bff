/**
 * A field with its label, hint and fault. The input gets its id and what describes it from here:
 *
 *   <Field label="Name" fault={fault} hint="Can be changed later">
 *     {input => <input {...input} className="input" value={name} onChange={...} />}
 *   </Field>
 */
import { type ReactElement, type ReactNode, useId } from 'react'
import { Shape } from '../verdict/shapes.tsx'

export type FieldInput = {
  readonly id: string
  readonly 'aria-describedby': string
  readonly 'aria-invalid': boolean
}

type FieldProps = {
  readonly label: ReactNode
  /** At the right of the label, in grey: `was 5432`. */
  readonly aside?: ReactNode
  readonly hint?: ReactNode
  /** Good news about what was typed: `Free on port 10000`. */
  readonly good?: ReactNode
  /** What is wrong; a sentence. Takes the place of the hint. */
  readonly fault?: ReactNode
  readonly children: (input: FieldInput) => ReactNode
}

export function Field({ label, aside, hint, good, fault, children }: FieldProps): ReactElement {
  const id = useId()
  const messageId = `${id}-message`
  const isWrong = fault !== undefined && fault !== null && fault !== ''
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {aside !== undefined && <span>{aside}</span>}
      </label>
      {children({ id, 'aria-describedby': messageId, 'aria-invalid': isWrong })}
      <Message id={messageId} fault={isWrong ? fault : undefined} good={good} hint={hint} />
    </div>
  )
}

/** The line below a field, or below a group of them. Always there, so that what stands in it is read out when it changes. */
export function Message({
  id,
  fault,
  good,
  hint,
}: {
  readonly id: string
  readonly fault?: ReactNode
  readonly good?: ReactNode
  readonly hint?: ReactNode
}): ReactElement {
  if (fault !== undefined)
    return (
      <p className="err rejected" id={id}>
        <Shape of="rejected" size={14} />
        <span>{fault}</span>
      </p>
    )
  if (good !== undefined && good !== null)
    return (
      <p className="hint ok live" id={id}>
        <Shape of="live" size={14} />
        <span>{good}</span>
      </p>
    )
  return (
    <p className="hint" id={id}>
      {hint}
    </p>
  )
}
