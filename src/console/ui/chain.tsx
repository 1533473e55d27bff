/**
 * The line through the five rings: expected, compiled, served, applied, probed.
 *
 * It is solid up to the last ring that is proven, frays before the broken one, and is dotted after it. Rings behind the break read
 * `not tried`, never failed. `verdict`: what the broken ring looks like. With nothing known every ring is off.
 */
import { Check } from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'
import type { StepName } from '../../core/explain.ts'
import { Shape } from '../verdict/shapes.tsx'
import { lookOf, type RouteVerdict } from '../verdict/verdict.ts'
import { Icon } from './icon.tsx'

export type ChainLink = {
  readonly step: StepName
  readonly ok: boolean | null
  /** One or two short lines. */
  readonly detail: ReactNode
}

type ChainProps = {
  readonly links: readonly ChainLink[]
  readonly verdict: RouteVerdict
  /** Small rings, for a card. */
  readonly mini?: boolean
  readonly label: string
}

const WORDS: Readonly<Record<StepName, string>> = {
  expected: 'Expected',
  compiled: 'Compiled',
  served: 'Served',
  applied: 'Applied',
  probed: 'Probed',
}

type RingState = 'proven' | 'broken' | 'under-way' | 'off'

/** What each ring is: nothing behind the first that is not proven is more than `off`. */
export function ringStates(links: readonly Pick<ChainLink, 'ok'>[], verdict: RouteVerdict): readonly RingState[] {
  const stop = links.findIndex(({ ok }) => ok !== true)
  return links.map(({ ok }, at) => {
    if (stop === -1 || at < stop) return 'proven'
    if (at > stop) return 'off'
    if (ok === false) return 'broken'
    return verdict === 'pending' ? 'under-way' : 'off'
  })
}

export function Chain({ links, verdict, mini = false, label }: ChainProps): ReactElement {
  const states = ringStates(links, verdict)
  return (
    <div className="rope-box">
      <ol className={mini ? 'rope mini' : 'rope'} aria-label={label}>
        {links.map((link, at) => {
          const state = states[at] ?? 'off'
          const next = states[at + 1]
          return (
            <li key={link.step} className={classOf(state, next, verdict)}>
              <span className="ring">{inRing(state, verdict)}</span>
              <div>
                <b>
                  {WORDS[link.step]}
                  <span className="vh">, {SAID[state]}</span>
                </b>
                <span className="m">
                  {state === 'off' && link.ok === null ? (link.detail ?? 'not tried') : link.detail}
                </span>
              </div>
            </li>
          )
        })}
      </ol>
    </div>
  )
}

const SAID: Readonly<Record<RingState, string>> = {
  proven: 'proven',
  broken: 'broken here',
  'under-way': 'under way',
  off: 'not tried',
}

function classOf(state: RingState, next: RingState | undefined, verdict: RouteVerdict): string {
  switch (state) {
    case 'proven':
      return next === 'broken' ? 'live fray' : next === 'proven' || next === undefined ? 'live' : 'live cut'
    case 'broken':
      return `${lookOf(verdict).tone} bad cut`
    case 'under-way':
      return 'pending cut'
    case 'off':
      return 'off cut'
    default: {
      const never: never = state
      return never
    }
  }
}

function inRing(state: RingState, verdict: RouteVerdict): ReactElement {
  if (state === 'proven') return <Icon of={Check} />
  if (state === 'broken') return <Shape of={verdict === 'live' ? 'unknown' : verdict} size={18} />
  if (state === 'under-way') return <Shape of="pending" size={18} />
  return (
    <svg viewBox="0 0 16 16" width="12" aria-hidden="true" focusable="false">
      <circle cx="8" cy="8" r="2" fill="currentColor" />
    </svg>
  )
}
