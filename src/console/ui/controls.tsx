/** Switch, choice of a few, tabs: small enough to be our own, with the keys that people expect of them. */
import { type KeyboardEvent, type ReactElement, type ReactNode, useId, useRef } from 'react'

type SwitchProps = {
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  readonly label: ReactNode
  readonly hint?: ReactNode
  readonly disabled?: boolean
}

/** With its label and what it means. */
export function Switch({ checked, onChange, label, hint, disabled = false }: SwitchProps): ReactElement {
  const id = useId()
  return (
    <div className="toggle">
      <div>
        <label className="lab" htmlFor={id}>
          {label}
        </label>
        {hint !== undefined && (
          <p className="hint" id={`${id}-hint`}>
            {hint}
          </p>
        )}
      </div>
      <button
        type="button"
        id={id}
        role="switch"
        className="switch"
        aria-checked={checked}
        disabled={disabled}
        onClick={() => onChange(!checked)}
        {...(hint === undefined ? {} : { 'aria-describedby': `${id}-hint` })}
      />
    </div>
  )
}

/** Which of `count` buttons a key goes to; null: not one of these keys. */
export function nextByKey(key: string, at: number, count: number): number | null {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return (at + 1) % count
    case 'ArrowLeft':
    case 'ArrowUp':
      return (at + count - 1) % count
    case 'Home':
      return 0
    case 'End':
      return count - 1
    default:
      return null
  }
}

export type Choice<Value extends string> = {
  readonly value: Value
  readonly label: ReactNode
  /** In grey: how many. */
  readonly count?: number | string
  readonly disabled?: boolean
}

type SegmentsProps<Value extends string> = {
  readonly label: string
  readonly choices: readonly Choice<Value>[]
  readonly value: Value
  readonly onChange: (value: Value) => void
  readonly className?: string
}

/** One of a few, side by side: a radio group, one tab stop, arrows choose. */
export function Segments<Value extends string>({
  label,
  choices,
  value,
  onChange,
  className,
}: SegmentsProps<Value>): ReactElement {
  const buttons = useRef<(HTMLButtonElement | null)[]>([])
  const move = (event: KeyboardEvent, at: number): void => {
    const to = nextByKey(event.key, at, choices.length)
    const choice = to === null ? undefined : choices[to]
    if (to === null || choice === undefined || choice.disabled === true) return
    event.preventDefault()
    onChange(choice.value)
    buttons.current[to]?.focus()
  }
  return (
    <div className={`seg ${className ?? ''}`} role="radiogroup" aria-label={label}>
      {choices.map((choice, at) => (
        <button
          key={choice.value}
          type="button"
          role="radio"
          aria-checked={choice.value === value}
          tabIndex={choice.value === value ? 0 : -1}
          disabled={choice.disabled === true}
          ref={button => {
            buttons.current[at] = button
          }}
          onClick={() => onChange(choice.value)}
          onKeyDown={event => move(event, at)}
        >
          {choice.label}
          {choice.count !== undefined && <span className="n hide-sm">{choice.count}</span>}
        </button>
      ))}
    </div>
  )
}

type TabsProps<Value extends string> = {
  readonly label: string
  readonly tabs: readonly Choice<Value>[]
  readonly value: Value
  readonly onChange: (value: Value) => void
  /** `seg`: as a row of segments, as the nodes of a route have it. */
  readonly look?: 'tabs' | 'seg'
  /** Of the chosen one. */
  readonly children?: ReactNode
  /** Around the panel. */
  readonly panelClassName?: string
}

/** Tabs and the panel of the chosen one. With `children` left out, the panel is elsewhere and the caller names it. */
export function Tabs<Value extends string>(props: TabsProps<Value>): ReactElement {
  const { label, tabs, value, onChange, look = 'tabs', children, panelClassName } = props
  const id = useId()
  const buttons = useRef<(HTMLButtonElement | null)[]>([])
  const move = (event: KeyboardEvent, at: number): void => {
    const to = nextByKey(event.key, at, tabs.length)
    const tab = to === null ? undefined : tabs[to]
    if (to === null || tab === undefined) return
    event.preventDefault()
    onChange(tab.value)
    buttons.current[to]?.focus()
  }
  return (
    <>
      <div className={look} role="tablist" aria-label={label}>
        {tabs.map((tab, at) => (
          <button
            key={tab.value}
            type="button"
            role="tab"
            id={`${id}-${tab.value}`}
            aria-selected={tab.value === value}
            {...(children === undefined ? {} : { 'aria-controls': `${id}-panel` })}
            tabIndex={tab.value === value ? 0 : -1}
            ref={button => {
              buttons.current[at] = button
            }}
            onClick={() => onChange(tab.value)}
            onKeyDown={event => move(event, at)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      {children !== undefined && (
        <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} className={panelClassName}>
          {children}
        </div>
      )}
    </>
  )
}
