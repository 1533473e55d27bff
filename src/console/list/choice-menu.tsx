/** A filter that takes one of several words, or none: choosing the chosen one again takes it off. */
import type { LucideIcon } from 'lucide-react'
import type { ReactElement } from 'react'
import { LazyMenu } from '../ui/lazy-menu.tsx'
import { withMarks } from '../words/safe-text.ts'

type ChoiceMenuProps = {
  readonly label: string
  readonly icon: LucideIcon
  readonly options: readonly (readonly [value: string, label: string])[]
  /** Null: all. */
  readonly value: string | null
  readonly onChange: (value: string | null) => void
}

export function ChoiceMenu({ label, icon, options, value, onChange }: ChoiceMenuProps): ReactElement {
  return (
    <LazyMenu
      label={label}
      icon={icon}
      count={value === null ? 0 : 1}
      entries={options.map(([id, words]) => ({
        id,
        label: withMarks(words),
        checked: value === id,
        onSelect: () => onChange(value === id ? null : id),
      }))}
    />
  )
}
