/** The shape of each verdict: told apart without any colour. Drawn on 16 by 16; the colour is that of the text around. */
import type { ReactElement } from 'react'
import { lookOf, type RouteVerdict } from './verdict.ts'

type ShapeProps = {
  readonly of: RouteVerdict
  readonly size?: number
  /** What it means, where no word stands beside it; without it the shape is decoration. */
  readonly label?: string
  readonly className?: string
}

export function Shape({ of, size = 16, label, className }: ShapeProps): ReactElement {
  const said =
    label === undefined ? ({ 'aria-hidden': true } as const) : ({ role: 'img', 'aria-label': label } as const)
  return (
    <svg
      className={className === undefined ? 'shape' : `shape ${className}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      focusable="false"
      {...said}
    >
      {label !== undefined && <title>{label}</title>}
      {drawing(of)}
    </svg>
  )
}

/** The colours of a verdict, as a class. */
export const toneOf = (verdict: RouteVerdict): string => lookOf(verdict).tone

const CUT = {
  stroke: 'var(--surface)',
  strokeWidth: 1.8,
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
  fill: 'none',
} as const

function drawing(of: RouteVerdict): ReactElement {
  switch (of) {
    case 'live':
      return (
        <>
          <circle cx="8" cy="8" r="7" fill="currentColor" />
          <path d="M4.9 8.2 7.1 10.4 11.2 6" {...CUT} />
        </>
      )
    case 'pending':
      return (
        <>
          <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="2" opacity=".28" />
          <path
            className="arc"
            d="M8 2a6 6 0 0 1 6 6"
            fill="none"
            stroke="currentColor"
            strokeWidth="2"
            strokeLinecap="round"
          />
        </>
      )
    case 'degraded':
      return (
        <>
          <path
            d="M8 1.4c.5 0 .9.3 1.2.7l5.9 10.4c.5.9-.2 2.1-1.2 2.1H2.1c-1 0-1.7-1.2-1.2-2.1L6.8 2.1c.3-.4.7-.7 1.2-.7z"
            fill="currentColor"
          />
          <path d="M8 5.6v3.6M8 11.6v.1" {...CUT} />
        </>
      )
    case 'conflicted':
      return (
        <path d="M6.9 1.6v12.8L1.1 8.7a1 1 0 0 1 0-1.4zM9.1 1.6v12.8l5.8-5.7a1 1 0 0 0 0-1.4z" fill="currentColor" />
      )
    case 'rejected':
      return (
        <>
          <path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z" fill="currentColor" />
          <path d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8" {...CUT} />
        </>
      )
    case 'refused':
      return (
        <>
          <circle cx="8" cy="8" r="5.9" fill="none" stroke="currentColor" strokeWidth="2.2" />
          <path d="m3.9 12.1 8.2-8.2" stroke="currentColor" strokeWidth="2.2" />
        </>
      )
    case 'waiting':
      return (
        <>
          <circle
            cx="8"
            cy="8"
            r="6.2"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.8"
            strokeDasharray="2.6 2.27"
          />
          <circle cx="8" cy="8" r="2.2" fill="currentColor" />
        </>
      )
    case 'held':
      return (
        <>
          <rect x="1.2" y="1.2" width="13.6" height="13.6" rx="3.4" fill="currentColor" />
          <path d="M6 5v6M10 5v6" {...CUT} strokeWidth="2" />
        </>
      )
    case 'unknown':
      return (
        <>
          <circle cx="8" cy="8" r="6.6" fill="none" stroke="currentColor" strokeWidth="1.3" strokeDasharray="1.5 1.9" />
          <path
            d="M6.3 6.4c.1-1 .8-1.6 1.8-1.6s1.7.6 1.7 1.5c0 1.2-1.7 1.3-1.7 2.6M8.1 11v.1"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.5"
            strokeLinecap="round"
          />
        </>
      )
    case 'gone':
      return (
        <>
          <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.5" />
          <path d="M5 8h6" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
        </>
      )
    default: {
      const never: never = of
      return never
    }
  }
}
