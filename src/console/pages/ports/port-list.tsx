/** What is not free, by state: in small windows, where a square of a grid is too small for a finger. */
import { type ReactElement, useState } from 'react'
import type { Pool, PoolPort } from '../../../api/pool.ts'
import { href } from '../../places.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { counted, grouped } from '../../words/count.ts'
import { protocolName } from '../../words/preset.ts'
import { poolSentence } from './pool-card.tsx'
import { LISTED_STATES, rangesOf, stateWord } from './pool-grid.ts'
import { PortFacts, type PortFactsProps } from './port-facts.tsx'

const FIRST = 20

type PortListProps = Omit<PortFactsProps, 'port' | 'standing' | 'protocol'> & {
  readonly pool: Pool
  readonly ports: readonly PoolPort[]
  readonly standingOf: (port: PoolPort) => PortFactsProps['standing']
}

export function PortList({ pool, ports, standingOf, ...rest }: PortListProps): ReactElement {
  return (
    <Card
      title={`${protocolName(pool.protocol)} ports`}
      aside={
        <span className="sm t2">
          <b className="strong">{grouped(pool.free)}</b> free
        </span>
      }
    >
      <p className="card-b sm t2">{poolSentence(pool)}</p>
      {LISTED_STATES.map(state => (
        <StateList
          key={state}
          title={stateWord(state)}
          ports={ports.filter(port => port.state === state)}
          {...{ pool, standingOf, ...rest }}
        />
      ))}
    </Card>
  )
}

function StateList({
  title,
  pool,
  ports,
  standingOf,
  ...rest
}: PortListProps & { readonly title: string }): ReactElement | null {
  const [isWhole, setWhole] = useState(false)
  if (ports.length === 0) return null
  // There is one thing to do about all of them, and it is not done here.
  if (ports.every(({ state }) => state === 'undeclared'))
    return (
      <section className="card-b port-list">
        <h3>
          {title} <span className="t3">{grouped(ports.length)}</span>
        </h3>
        <p className="t2 sm">
          Not every active node has an entry point for {rangesOf(ports.map(({ port }) => port))}, so{' '}
          {ports.length === 1 ? 'it is' : 'they are'} not given out.
        </p>
        <div className="row">
          <ButtonLink size="sm" href={href.nodes()}>
            Nodes
          </ButtonLink>
        </div>
      </section>
    )
  const shown = isWhole ? ports : ports.slice(0, FIRST)
  return (
    <section className="card-b port-list">
      <h3>
        {title} <span className="t3">{grouped(ports.length)}</span>
      </h3>
      <ul>
        {shown.map(port => (
          <li key={port.port}>
            <PortFacts protocol={pool.protocol} port={port} standing={standingOf(port)} {...rest} />
          </li>
        ))}
      </ul>
      {shown.length < ports.length && (
        <Button onClick={() => setWhole(true)}>Show {counted(ports.length - shown.length, 'more', 'more')}</Button>
      )}
    </section>
  )
}
