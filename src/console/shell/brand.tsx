/** The mark: a line led through a ring. */
import type { ReactElement } from 'react'

/** `ground`: the colour that it stands on, as a custom property, which parts the line from the ring. */
export function BrandMark({ ground = '--canvas' }: { readonly ground?: string }): ReactElement {
  const gap = `var(${ground})`
  return (
    <svg viewBox="0 0 24 24" fill="none" aria-hidden="true" focusable="false">
      <path d="M12 12.6c4.6-1.5 5.4-4.9 10.4-5.4" stroke="var(--accent)" strokeWidth="2.6" strokeLinecap="round" />
      <circle cx="12" cy="12" r="7" stroke={gap} strokeWidth="5" />
      <circle cx="12" cy="12" r="7" stroke="currentColor" strokeWidth="2.7" />
      <path d="M1.6 16.8c5-.5 5.8-2.7 10.4-4.2" stroke={gap} strokeWidth="5" />
      <path
        d="M1.6 16.8c5-.5 5.8-2.7 10.4-4.2.9-.3 1.6-.7 2.2-1.1"
        stroke="var(--accent)"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
    </svg>
  )
}
