/** Several words in one field: each a chip, made by Enter, a comma or leaving; a pasted list makes several. Backspace takes the last back. */
import { X } from 'lucide-react'
import { type ClipboardEvent, type KeyboardEvent, type ReactElement, useRef, useState } from 'react'
import { announce } from '../../ui/announce.ts'
import type { FieldInput } from '../../ui/field.tsx'
import { Icon } from '../../ui/icon.tsx'
import { withMarks } from '../../words/safe-text.ts'

export type Chip = { readonly value: string; readonly weight?: number }

type ChipsProps = {
  readonly input: FieldInput
  readonly chips: readonly Chip[]
  /** Words as they were typed or pasted. */
  readonly onAdd: (text: string) => void
  readonly onRemove: (value: string) => void
  /** Given: a press on a chip asks for its weight. */
  readonly onWeight?: (value: string, weight: number) => void
  readonly placeholder: string
  readonly onBlur?: () => void
}

export function Chips({ input, chips, onAdd, onRemove, onWeight, placeholder, onBlur }: ChipsProps): ReactElement {
  const [text, setText] = useState('')
  const field = useRef<HTMLInputElement>(null)
  const add = (words: string): void => {
    if (words.trim() !== '') onAdd(words)
    setText('')
  }
  const remove = (value: string): void => {
    onRemove(value)
    announce(`${withMarks(value)} removed`)
    field.current?.focus()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const isMod = event.metaKey || event.ctrlKey
    if ((event.key === 'Enter' && !isMod) || event.key === ',' || event.key === ' ') {
      if (text.trim() === '' && event.key !== 'Enter') return
      event.preventDefault()
      add(text)
    } else if (event.key === 'Backspace' && text === '') {
      const last = chips.at(-1)
      if (last !== undefined) remove(last.value)
    }
  }
  const onPaste = (event: ClipboardEvent): void => {
    const pasted = event.clipboardData.getData('text')
    if (!/[\s,;]/.test(pasted.trim())) return
    event.preventDefault()
    add(`${text} ${pasted}`)
  }
  return (
    <div className="chipbox">
      {chips.map(({ value, weight }) => (
        <span className="chip" key={value}>
          {withMarks(value)}
          {onWeight !== undefined && weight !== undefined && (
            <Weight of={value} weight={weight} onChange={next => onWeight(value, next)} />
          )}
          <button type="button" aria-label={`Remove ${withMarks(value)}`} onClick={() => remove(value)}>
            <Icon of={X} size="s" />
          </button>
        </span>
      ))}
      <input
        {...input}
        ref={field}
        value={text}
        placeholder={chips.length === 0 ? placeholder : 'add another'}
        onChange={event => setText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        onBlur={() => {
          add(text)
          onBlur?.()
        }}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
      />
    </div>
  )
}

/** How much of the traffic it takes, beside the others: shown once somebody wants it to differ. */
function Weight({
  of,
  weight,
  onChange,
}: {
  of: string
  weight: number
  onChange: (weight: number) => void
}): ReactElement {
  return (
    <input
      className="chip-weight"
      type="number"
      min={1}
      max={1000}
      value={weight}
      aria-label={`Weight of ${withMarks(of)}`}
      title="Weight: its share beside the others"
      onChange={event => {
        const next = Number(event.target.value)
        if (Number.isInteger(next) && next >= 1 && next <= 1000) onChange(next)
      }}
    />
  )
}
