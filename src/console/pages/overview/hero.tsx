/** The headline, one bar by verdict, and its legend, which leads to the filtered list. */
import type { CSSProperties, ReactElement } from 'react'
import { Link } from 'wouter'
import type { Overview } from '../../../api/overview.ts'
import { useLink } from '../../data/runtime-context.tsx'
import { href } from '../../places.ts'
import { useNow } from '../../ui/now.ts'
import { Text } from '../../ui/text.tsx'
import type { Counts } from '../../verdict/counts.ts'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import { useVoices } from '../../verdict/use-standing.ts'
import { useCounts } from '../../verdict/use-trouble.ts'
import { LEGEND, lookOf } from '../../verdict/verdict.ts'
import { counted, grouped } from '../../words/count.ts'
import { agoWords, clockWords } from '../../words/time.ts'

export function Hero({ overview }: { readonly overview: Overview }): ReactElement | null {
  const link = useLink()
  const counts = useCounts(overview)
  const voices = useVoices()
  if (counts === null) return null
  const total = LEGEND.reduce((sum, one) => sum + counts[one], 0)
  const reporting = voices.filter(({ silent }) => !silent).length
  const of = `of ${grouped(total)}, `
  return (
    <section className="hero" aria-label="Routes by verdict">
      <div className="hero-top">
        <div className="grow">
          <p className="t3 sm">Routes</p>
          {link.isUp ? (
            <h1 className="big">
              {grouped(counts.live)} live <small>{of + reportWords(reporting, voices.length)}</small>
            </h1>
          ) : (
            <h1 className="big">
              {grouped(counts.live)} {counts.live === 1 ? 'was' : 'were'} live{' '}
              <small>
                {of}at {clockWords(new Date(link.heardAt))}
              </small>
            </h1>
          )}
        </div>
        <SilentNodes />
      </div>
      <VerdictBar counts={counts} isLinkUp={link.isUp} />
      <Legend counts={counts} isLinkUp={link.isUp} />
    </section>
  )
}

function reportWords(reporting: number, total: number): string {
  if (total === 0) return 'with no node to serve them'
  if (reporting === 0) return 'and no node reports'
  if (reporting === total) return total === 1 ? 'on the one node' : `on all ${grouped(total)} nodes`
  return reporting === 1 ? 'on the one node that reports' : `on the ${grouped(reporting)} nodes that report`
}

/** Which nodes are not part of the headline. */
function SilentNodes(): ReactElement | null {
  const link = useLink()
  const now = useNow(5_000)
  const voices = useVoices()
  const silent = voices.filter(voice => voice.silent)
  const [first] = silent
  if (voices.length === 0 || (link.isUp && first === undefined)) return null
  const lasts = (at: number | null): string =>
    at === null ? 'has not reported yet' : `silent for ${agoWords(now + link.clockOffsetMs - at)}`
  return (
    <span className="v pill unknown hide-sm">
      <Shape of="unknown" />
      <span>
        {!link.isUp ? (
          'nodes not known'
        ) : silent.length > 1 ? (
          `${counted(silent.length, 'node')} silent`
        ) : first === undefined ? null : (
          <>
            <Text most={24}>{first.name}</Text> {lasts(first.lastSeenAt)}
          </>
        )}
      </span>
    </span>
  )
}

function VerdictBar({ counts, isLinkUp }: { readonly counts: Counts; readonly isLinkUp: boolean }): ReactElement {
  const there = LEGEND.filter(one => counts[one] > 0)
  const words = there.map(one => `${counts[one]} ${lookOf(one).word}`).join(', ')
  return (
    <div className="bar" role="img" aria-label={isLinkUp ? words : `Not known now; it was ${words}`}>
      {there.map(one => (
        <i key={one} className={isLinkUp ? toneOf(one) : 'unknown'} style={{ '--n': counts[one] } as CSSProperties} />
      ))}
    </div>
  )
}

function Legend({ counts, isLinkUp }: { readonly counts: Counts; readonly isLinkUp: boolean }): ReactElement {
  // `not known` is a fault of the link to a node, and only worth a word when there is one.
  const shown = LEGEND.filter(one => one !== 'unknown' || counts.unknown > 0)
  return (
    <div className="legend">
      {shown.map(one => (
        <Link
          key={one}
          href={href.routes({ verdict: one })}
          className={`${isLinkUp ? toneOf(one) : 'unknown'}${counts[one] === 0 ? ' zero' : ''}`}
        >
          <Shape of={isLinkUp ? one : 'unknown'} size={14} />
          <b>{grouped(counts[one])}</b> {lookOf(one).word}
        </Link>
      ))}
    </div>
  )
}
