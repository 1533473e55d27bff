/** What is told of one number: whose it is, since when, and what one can do about it. Beside its cell, or in the list of a small window. */
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import type { Pool, PoolPort } from '../../../api/pool.ts'
import { href } from '../../places.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import type { Standing } from '../../verdict/standing.ts'
import { VerdictMark } from '../../verdict/verdict-mark.tsx'
import { counted } from '../../words/count.ts'
import { stateWord } from './pool-grid.ts'
import { type PortAct, PortDialog } from './port-dialog.tsx'
import { restWords } from './rest-words.ts'

export type PortFactsProps = {
  readonly protocol: Pool['protocol']
  readonly port: PoolPort
  readonly standing: Standing | null
  /** Milliseconds since 1970, by the clock of the control plane. */
  readonly now: number
  readonly mayAdmin: boolean
  readonly mayWrite: boolean
}

export function PortFacts(props: PortFactsProps): ReactElement {
  const { protocol, port, standing, now, mayAdmin, mayWrite } = props
  const [act, setAct] = useState<PortAct | null>(null)
  return (
    <>
      <div className="row between">
        <b className="mono">{port.port}</b>
        {standing === null ? (
          <span className="tag">{stateWord(port.state)}</span>
        ) : (
          <VerdictMark standing={standing} pill />
        )}
      </div>
      <div className="t2 stack tight">
        <Sentences port={port} now={now} />
        {port.note !== null && (
          <p>
            <Text>{port.note}</Text>
          </p>
        )}
        {!port.inPool && <p>The settings do not have this number any more; it goes when it is released.</p>}
      </div>
      <div className="row wraps">
        {port.owner !== null && (
          <ButtonLink size="sm" href={href.service(port.owner.serviceId)}>
            Open service
          </ButtonLink>
        )}
        {port.owner !== null && standing !== null && standing.shown !== 'live' && (
          <ButtonLink size="sm" href={href.route(port.owner.portId)}>
            Why
          </ButtonLink>
        )}
        {port.state === 'free' && mayWrite && (
          <ButtonLink size="sm" href={href.newService({ protocol, port: port.port })}>
            Expose here
          </ButtonLink>
        )}
        {port.state === 'free' && mayAdmin && (
          <Button size="sm" kind="quiet" onClick={() => setAct('reserve')}>
            Reserve
          </Button>
        )}
        {port.state === 'resting' && mayAdmin && (
          <Button size="sm" onClick={() => setAct('free')}>
            Free it now
          </Button>
        )}
        {port.state === 'reserved' && mayAdmin && (
          <Button size="sm" onClick={() => setAct('unreserve')}>
            Give it back
          </Button>
        )}
        {port.state === 'undeclared' && (
          <ButtonLink size="sm" href={href.nodes()}>
            Nodes
          </ButtonLink>
        )}
      </div>
      {act !== null && <PortDialog {...{ protocol, port, act }} onClose={() => setAct(null)} />}
    </>
  )
}

function Sentences({ port, now }: { readonly port: PoolPort; readonly now: number }): ReactElement {
  const { state, owner, owners, ownerCount, since, restsUntil, blockedBy, blockStart, blockEnd } = port
  const isBlock = blockStart !== null && blockEnd !== null && blockEnd > blockStart
  switch (state) {
    case 'free':
      return <p>Nobody has it.</p>
    case 'used':
      return owner === null ? (
        <p>A service of another project has it.</p>
      ) : (
        <p>
          <b>
            <Text most={40}>{owner.serviceName}</Text>
          </b>{' '}
          in <Text most={30}>{owner.projectName}</Text>
          {since !== null && (
            <>
              , for <Ago at={since} />
            </>
          )}
          .{isBlock && ` A block of ${counted(blockEnd - blockStart + 1, 'port')}, ${blockStart} to ${blockEnd}.`}
        </p>
      )
    case 'shared':
      return (
        <>
          <p>
            {ownerCount === 0
              ? 'Shared by host name; no name is on it yet.'
              : `Shared by ${counted(ownerCount, 'host name')}${owners.length < ownerCount ? `, ${ownerCount - owners.length} of other projects` : ''}.`}
          </p>
          {owners.length > 0 && (
            <ul className="plain">
              {owners.slice(0, SHOWN_NAMES).map(one => (
                <li key={one.portId}>
                  <Link className="link mono" href={href.service(one.serviceId)}>
                    <Text most={36}>{one.host ?? one.serviceName}</Text>
                  </Link>
                </li>
              ))}
              {owners.length > SHOWN_NAMES && <li>and {owners.length - SHOWN_NAMES} more</li>}
            </ul>
          )}
        </>
      )
    case 'resting':
      return (
        <p>
          Released
          {since === null ? (
            ''
          ) : (
            <>
              {' '}
              <Ago at={since} suffix />
            </>
          )}
          . {restWords(restsUntil, blockedBy, now)} Until then its old clients cannot reach somebody else.
        </p>
      )
    case 'reserved':
      return <p>Reserved: it is given to nobody.</p>
    case 'undeclared':
      return <p>Not every active node has an entry point for it, so it is not given out.</p>
    default: {
      const never: never = state
      return never
    }
  }
}

const SHOWN_NAMES = 6
