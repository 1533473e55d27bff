/** What a node's Traefik lacks: the lines to add, who waits for them, and what the restart costs. */
import { Fragment, type ReactElement } from 'react'
import { Link } from 'wouter'
import type { Node } from '../../../api/node.ts'
import { useServiceNames } from '../../data/names.ts'
import { href } from '../../places.ts'
import { Card } from '../../ui/card.tsx'
import { CodeBlock } from '../../ui/code.tsx'
import { Text } from '../../ui/text.tsx'
import { Shape } from '../../verdict/shapes.tsx'
import { counted, grouped } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'
import { allLines } from './node-state.ts'

const SHOWN_ROUTES = 6

export function MissingCard({ node }: { readonly node: Node }): ReactElement | null {
  const names = useServiceNames()
  const missing = node.missingEntryPoints ?? []
  if (missing.length === 0) return null
  const routeIds = [...new Set(missing.flatMap(one => one.routeIds))]
  const lines = allLines(missing)
  const open = node.openConnections
  return (
    <Card
      title={`${withMarks(node.name)} lacks ${counted(missing.length, 'entry point')}`}
      aside={
        <span className="v pill waiting">
          <Shape of="waiting" />
          <span>{counted(routeIds.length, 'route')} waiting</span>
        </span>
      }
    >
      <div className="enrol">
        <div className="card-b stack g4">
          <p className="t2 sm">
            Traefik opens ports only at start. Add these lines to its static file, then restart it.{' '}
            {open === 0 ? (
              'No connection is open there now.'
            ) : (
              <>
                <b className="strong">{counted(open, 'connection')} open now will be cut;</b> clients connect again.
              </>
            )}
          </p>
          <dl className="facts">
            <dt>Waiting</dt>
            <dd>
              {routeIds.slice(0, SHOWN_ROUTES).map((id, at) => (
                <Fragment key={id}>
                  {at > 0 && ', '}
                  <Link className="link" href={href.route(id, { node: node.id })}>
                    <Text most={32}>{names.get(id) ?? id}</Text>
                  </Link>
                </Fragment>
              ))}
              {routeIds.length > SHOWN_ROUTES && ` and ${grouped(routeIds.length - SHOWN_ROUTES)} more`}
            </dd>
            <dt>Better</dt>
            <dd>
              declare the whole pool once with <code>fairlead static-config</code>
            </dd>
          </dl>
        </div>
        <div className="card-b">
          <CodeBlock text={lines} what="lines">
            {lines
              .trimEnd()
              .split('\n')
              .map(line => (
                <Fragment key={line}>
                  <span className={line.startsWith(' ') ? 'add' : 'k'}>{withMarks(line)}</span>
                  {'\n'}
                </Fragment>
              ))}
          </CodeBlock>
        </div>
      </div>
    </Card>
  )
}
