/** The search of a list. The key `/` leads to it, Escape empties it. */
import { Search } from 'lucide-react'
import type { ReactElement } from 'react'
import { Icon } from '../ui/icon.tsx'

type SearchBoxProps = {
  readonly label: string
  /** What can be searched, in a few words. */
  readonly placeholder: string
  readonly value: string
  readonly onChange: (value: string) => void
}

export function SearchBox({ label, placeholder, value, onChange }: SearchBoxProps): ReactElement {
  return (
    <div className="search">
      <Icon of={Search} />
      <input
        className="input"
        type="search"
        aria-label={label}
        placeholder={placeholder}
        value={value}
        onChange={event => onChange(event.target.value)}
        onKeyDown={event => event.key === 'Escape' && value !== '' && onChange('')}
        spellCheck={false}
        autoComplete="off"
      />
      {value === '' && (
        <kbd className="hide-sm" aria-hidden>
          /
        </kbd>
      )}
    </div>
  )
}
