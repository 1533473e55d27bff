/** What the verdict has been, newest first. */
import type { ReactElement } from 'react'
import type { VerdictChange } from '../../../api/route.ts'
import { useRouteHistory } from '../../data/queries.ts'
import { Card } from '../../ui/card.tsx'
import { ErrorCard } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { At, Took } from '../../ui/time.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import { lookOf } from '../../verdict/verdict.ts'

/** `nodeId`: of this node alone; null: of all, each row with its node. */
export function HistoryCard({
  routeId,
  nodeId,
}: {
  readonly routeId: string
  readonly nodeId: string | null
}): ReactElement {
  const { data, error, refetch } = useRouteHistory(routeId)
  if (error !== null && data === undefined)
    return <ErrorCard error={error} what="The history" onRetry={() => void refetch()} />
  const rows = (data?.items ?? []).filter(row => nodeId === null || row.nodeId === nodeId)
  return (
    <Card title="Verdicts over time">
      {rows.length === 0 ? (
        <p className="card-b t3 sm">{data === undefined ? '' : 'Nothing has changed here yet.'}</p>
      ) : (
        <ul className="ll">
          {rows.map(row => (
            <Row key={row.id} row={row} withNode={nodeId === null} />
          ))}
        </ul>
      )}
    </Card>
  )
}

// What a verdict was is no claim about now: it is shown as it was, whatever became of the link.
function Row({ row, withNode }: { readonly row: VerdictChange; readonly withNode: boolean }): ReactElement {
  const total = row.timingsMs.savedToLive
  return (
    <li>
      <span className="t3 nowrap">
        <At at={row.at} />
      </span>
      <span className={`v ${toneOf(row.verdict)}`}>
        <Shape of={row.verdict} />
        <span>{lookOf(row.verdict).word}</span>
      </span>
      <span className="t2">
        {withNode && (
          <>
            <Text most={24}>{row.nodeName}</Text>
            {row.message === '' ? '' : ': '}
          </>
        )}
        <Text most={140}>{row.message}</Text>
      </span>
      <span className="t3 sm nowrap">
        {total !== undefined ? (
          <>
            after <Took ms={total} />
          </>
        ) : (
          row.revision !== null && `revision ${row.revision}`
        )}
      </span>
    </li>
  )
}
