/** Whether what is shown is current: at the foot of the side bar always, as a banner when it is not. */
import { type ReactElement, useEffect, useRef } from 'react'
import { useLink, useRuntime } from '../data/runtime-context.tsx'
import { announce } from '../ui/announce.ts'
import { Button } from '../ui/button.tsx'
import { useNow } from '../ui/now.ts'
import { Shape } from '../verdict/shapes.tsx'
import { agoWords, clockWords } from '../words/time.ts'

export function LinkState(): ReactElement {
  const link = useLink()
  const now = useNow(1_000)
  const isFirst = link.phase === 'starting'
  const words = link.isUp
    ? isFirst
      ? 'Connecting'
      : 'Up to date'
    : link.phase === 'returning'
      ? 'Catching up'
      : 'Link lost'
  const heard = agoWords(now - link.heardAt)
  const ago = heard === 'now' ? 'just now' : `${heard} ago`
  const below = link.isUp
    ? isFirst
      ? 'to the control plane'
      : `${link.revision === null ? '' : `revision ${link.revision} · `}${ago}`
    : `as of ${clockWords(new Date(link.heardAt))}`
  return (
    <div className="linkstate">
      <span className={link.isUp && !isFirst ? 'pulse' : 'pulse off'} />
      <span>
        <strong>{words}</strong>
        <span>{below}</span>
      </span>
    </div>
  )
}

/** Says that verdicts cannot be relied on, since when, and what is done about it. */
export function LinkBanner(): ReactElement | null {
  const link = useLink()
  const { link: store } = useRuntime()
  const now = useNow(500)
  const wasLost = useRef(false)
  useEffect(() => {
    if (link.isUp && wasLost.current) announce('The link to the control plane is back')
    wasLost.current = !link.isUp
  }, [link.isUp])
  if (link.isUp) return null
  const leftS = link.retryAt === null ? 0 : Math.max(0, Math.ceil((link.retryAt - now) / 1_000))
  return (
    <div className="banner unknown stale-line">
      <Shape of="unknown" />
      <p className="grow">
        {/* Said once; the seconds that count down are not. */}
        <span role="alert">
          <b>The link to the control plane is lost.</b> What you see is from {clockWords(new Date(link.heardAt))}.
          Verdicts are shown as not known until it is back.
        </span>{' '}
        {link.phase === 'returning'
          ? 'It is back; fetching what has changed.'
          : link.trying
            ? 'Trying now.'
            : `Trying again in ${leftS} s.`}
      </p>
      <Button size="sm" onClick={store.nudge} disabled={link.trying || link.phase === 'returning'}>
        Try now
      </Button>
    </div>
  )
}
