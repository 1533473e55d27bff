/** Two letters for a person, a square for a program. */
import type { ReactElement } from 'react'

/** `Mara Riis` is MR, `ci-deploy` is CD. */
export function initials(name: string): string {
  const [first = '', ...rest] = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean)
  const last = rest.at(-1)
  return ((first.at(0) ?? '') + (last?.at(0) ?? first.at(1) ?? '')).toUpperCase()
}

export function Avatar({
  name,
  isProgram = false,
}: {
  readonly name: string
  readonly isProgram?: boolean
}): ReactElement {
  return (
    <span className={isProgram ? 'ava bot' : 'ava'} aria-hidden>
      {initials(name)}
    </span>
  )
}
