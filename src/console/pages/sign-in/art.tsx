/** Beside the sign-in: a line, led through its rings. Decoration, and not there in small windows. */
import type { ReactElement } from 'react'

const LINE = 'M-60 690C40 690 60 628 140 600S270 476 370 420 500 318 610 250 700 170 800 150'

export function Art(): ReactElement {
  return (
    <aside className="gate-r" aria-hidden="true">
      <svg className="art" viewBox="0 0 720 900" preserveAspectRatio="xMidYMid slice" fill="none" aria-hidden="true">
        <g className="gate-ring" strokeWidth="24">
          <circle cx="140" cy="600" r="74" />
          <circle cx="370" cy="420" r="74" />
          <circle cx="610" cy="250" r="74" />
        </g>
        <path className="gate-shade" d={LINE} strokeWidth="24" />
        <path className="gate-line" d={LINE} strokeWidth="12" />
        <g className="gate-ring" strokeWidth="24">
          <path d="M152.8 527.1A74 74 0 0 1 212.9 612.8" />
          <path d="M382.8 347.1A74 74 0 0 1 442.9 432.8" />
          <path d="M622.8 177.1A74 74 0 0 1 682.9 262.8" />
        </g>
      </svg>
      <p>Is it live, and if not, why?</p>
      <p>Every route has a verdict read back from the proxy itself, with a reason and a remedy.</p>
    </aside>
  )
}
