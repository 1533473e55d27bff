/** All protocols, or one of them. */
import type { ReactElement } from 'react'
import { Segments } from '../ui/controls.tsx'
import { grouped } from '../words/count.ts'
import { PROTOCOL_FILTERS, type ProtocolFilter } from './protocol.ts'

const LABELS = { all: 'All', http: 'HTTP', tcp: 'TCP', udp: 'UDP' } as const

type ProtocolChoiceProps = {
  readonly value: ProtocolFilter
  readonly onChange: (value: ProtocolFilter) => void
  /** How many there are of each. */
  readonly counts?: Readonly<Record<ProtocolFilter, number>>
}

export function ProtocolChoice({ value, onChange, counts }: ProtocolChoiceProps): ReactElement {
  return (
    <Segments
      label="Protocol"
      value={value}
      onChange={onChange}
      choices={PROTOCOL_FILTERS.map(one => ({
        value: one,
        label: LABELS[one],
        ...(counts === undefined ? {} : { count: grouped(counts[one]) }),
      }))}
    />
  )
}
