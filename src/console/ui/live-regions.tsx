/** The two places that screen readers listen to (announce.ts). Empty at first: a region is only heard when it changes. */
import { type ReactElement, useEffect, useState } from 'react'
import { onAnnounce } from './announce.ts'

export function LiveRegions(): ReactElement {
  const [said, setSaid] = useState({ status: '', count: '' })
  useEffect(() => onAnnounce((region, text) => setSaid(before => ({ ...before, [region]: text }))), [])
  return (
    <>
      <div className="vh" role="status" aria-live="polite" data-region="status">
        {said.status}
      </div>
      <div className="vh" role="status" aria-live="polite" data-region="count">
        {said.count}
      </div>
    </>
  )
}
