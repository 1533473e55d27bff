/** One of several, as a list that opens. Inside a `Field`: hand it the field's `input`. */
import { Select as Base } from '@base-ui/react/select'
import { Check, ChevronDown } from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'
import type { FieldInput } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { Strict } from './strict.tsx'

export type Option<Value extends string> = {
  readonly value: Value
  readonly label: ReactNode
  readonly hint?: ReactNode
}

type SelectProps<Value extends string> = {
  readonly options: readonly Option<Value>[]
  readonly value: Value
  readonly onChange: (value: Value) => void
  /** While the value is none of the options. */
  readonly placeholder?: string
  readonly input?: FieldInput
  /** Without a Field around. */
  readonly label?: string
  readonly disabled?: boolean
}

export function Select<Value extends string>(props: SelectProps<Value>): ReactElement {
  const { options, value, onChange, input, label, placeholder, disabled = false } = props
  const chosen = options.find(option => option.value === value)
  return (
    <Strict>
      <Base.Root<Value>
        value={value}
        onValueChange={next => next !== null && onChange(next)}
        disabled={disabled}
        items={options.map(option => ({ value: option.value, label: option.label }))}
      >
        <Base.Trigger className="select" {...input} {...(label === undefined ? {} : { 'aria-label': label })}>
          <span className={chosen === undefined ? 'trunc placeholder' : 'trunc'}>
            {chosen?.label ?? placeholder ?? ''}
          </span>
          <Icon of={ChevronDown} />
        </Base.Trigger>
        <Base.Portal>
          <Base.Positioner className="popup-place" sideOffset={4} alignItemWithTrigger={false}>
            <Base.Popup className="popup">
              <Base.List>
                {options.map(option => (
                  <Base.Item key={option.value} value={option.value} className="popup-item">
                    <Base.ItemText className="grow">
                      {option.label}
                      {option.hint !== undefined && <span className="popup-hint">{option.hint}</span>}
                    </Base.ItemText>
                    <Base.ItemIndicator className="popup-mark">
                      <Icon of={Check} size="s" />
                    </Base.ItemIndicator>
                  </Base.Item>
                ))}
              </Base.List>
            </Base.Popup>
          </Base.Positioner>
        </Base.Portal>
      </Base.Root>
    </Strict>
  )
}
