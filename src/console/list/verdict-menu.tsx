/** Which verdicts a list shows: any of those that are ticked, all when none is. */
import { ListFilter } from 'lucide-react'
import type { ReactElement } from 'react'
import { LazyMenu } from '../ui/lazy-menu.tsx'
import { Shape, toneOf } from '../verdict/shapes.tsx'
import { LEGEND, lookOf, type RouteVerdict } from '../verdict/verdict.ts'

type VerdictMenuProps = {
  readonly value: readonly RouteVerdict[]
  readonly onChange: (verdicts: readonly RouteVerdict[]) => void
}

export function VerdictMenu({ value, onChange }: VerdictMenuProps): ReactElement {
  return (
    <LazyMenu
      label="Verdict"
      icon={ListFilter}
      count={value.length}
      entries={LEGEND.map(verdict => {
        const isOn = value.includes(verdict)
        return {
          id: verdict,
          label: lookOf(verdict).word,
          lead: <Shape of={verdict} className={toneOf(verdict)} />,
          checked: isOn,
          onSelect: () => onChange(isOn ? value.filter(one => one !== verdict) : [...value, verdict]),
        }
      })}
    />
  )
}
