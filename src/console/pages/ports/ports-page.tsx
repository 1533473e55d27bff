/** Whose each number is: two grids, and beside the number that one looks at what is known of it. `?port=10033` opens one. */
import { type ReactElement, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useSearch } from 'wouter'
import type { Pool, PoolPort } from '../../../api/pool.ts'
import { usePoolPorts, usePools, useRouteRows, useSession } from '../../data/queries.ts'
import { useRuntime } from '../../data/runtime-context.tsx'
import { Page, PageHead } from '../../shell/page.tsx'
import { useNow } from '../../ui/now.ts'
import { Bar, ErrorCard, Loading } from '../../ui/states.tsx'
import type { Standing } from '../../verdict/standing.ts'
import { useRowStanding } from '../../verdict/use-standing.ts'
import { Peek, type PeekPlace } from './peek.tsx'
import { PoolCard } from './pool-card.tsx'
import { PortList } from './port-list.tsx'
import { useIsNarrow } from './use-is-narrow.ts'
import './ports.css'

const PACE_MS = 1_000

export function PortsPage(): ReactElement {
  const pools = usePools()
  const tcp = usePoolPorts('tcp')
  const udp = usePoolPorts('udp')
  const failed = [pools, tcp, udp].find(({ error, data }) => error !== null && data === undefined)
  return (
    <Page title="Ports">
      <PageHead title="Ports">
        One port, one owner. A released port rests until every node has let go of its old route, so that no old client
        reaches a new owner.
      </PageHead>
      {failed !== undefined ? (
        <ErrorCard error={failed.error} what="The ports" onRetry={() => void failed.refetch()} />
      ) : pools.data === undefined || tcp.data === undefined || udp.data === undefined ? (
        <Loading what="ports">
          <div className="pools">
            {['tcp', 'udp'].map(one => (
              <div key={one} className="card card-b ports-skeleton">
                <Bar width={10} />
              </div>
            ))}
          </div>
        </Loading>
      ) : (
        <Pools pools={pools.data} ports={{ tcp: tcp.data, udp: udp.data }} />
      )}
    </Page>
  )
}

type PortsOf = Readonly<Record<Pool['protocol'], readonly PoolPort[]>>
type Chosen = { readonly protocol: Pool['protocol']; readonly port: number; readonly place: PeekPlace | null }

function Pools({ pools, ports }: { readonly pools: readonly Pool[]; readonly ports: PortsOf }): ReactElement {
  const routes = useRouteRows()
  const standingOfRow = useRowStanding()
  const { link } = useRuntime()
  const now = useNow(PACE_MS) + link.view().clockOffsetMs
  const session = useSession()
  const isNarrow = useIsNarrow()
  const rights = useMemo(() => {
    const scopes = session.data?.scopes ?? []
    const mayAdmin = scopes.includes('admin') && session.data?.projectId === null
    return { mayAdmin, mayWrite: scopes.includes('admin') || scopes.includes('write') }
  }, [session.data])

  const rows = useMemo(() => new Map((routes.data ?? []).map(row => [row.id, row])), [routes.data])
  const standingOf = useCallback(
    (port: PoolPort): Standing | null => {
      const row = port.state === 'used' && port.owner !== null ? rows.get(port.owner.portId) : undefined
      return row === undefined ? null : standingOfRow(row)
    },
    [rows, standingOfRow],
  )

  const frame = useRef<HTMLDivElement>(null)
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const asked = useAskedPort(ports)
  useEffect(() => {
    if (asked === null) return
    // The cell takes the focus, and with it what is told of it opens.
    frame.current?.querySelector<HTMLElement>(`[data-pool="${asked.protocol}"] [data-port="${asked.port}"]`)?.focus()
  }, [asked])

  if (isNarrow)
    return (
      <div className="stack">
        {pools.map(pool => (
          <PortList key={pool.protocol} pool={pool} ports={ports[pool.protocol]} {...{ standingOf, now, ...rights }} />
        ))}
      </div>
    )
  const open = chosen === null ? undefined : ports[chosen.protocol].find(({ port }) => port === chosen.port)
  return (
    <>
      <Legend />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: leaving with the mouse closes what the mouse opened; keys have Escape */}
      <div
        className="pools"
        ref={frame}
        onMouseLeave={() => setChosen(now => (now?.place?.isPinned === true ? now : null))}
      >
        {pools.map(pool => (
          <div key={pool.protocol} data-pool={pool.protocol} className="contents">
            <PoolCard
              pool={pool}
              ports={ports[pool.protocol]}
              standingOf={standingOf}
              selected={chosen?.protocol === pool.protocol ? chosen.port : null}
              onSelect={({ port }, cell, how) => {
                const isPinned = how === 'open'
                setChosen(before => {
                  // What a click has pinned stays while the mouse goes over to it.
                  if (!isPinned && before?.place?.isPinned === true && cell !== document.activeElement) return before
                  return { protocol: pool.protocol, port, place: { cell, isPinned } }
                })
              }}
            />
          </div>
        ))}
        {chosen?.place != null && open !== undefined && (
          <Peek
            place={chosen.place}
            frame={frame}
            onClose={() => setChosen(null)}
            facts={{ protocol: chosen.protocol, port: open, standing: standingOf(open), now, ...rights }}
          />
        )}
      </div>
    </>
  )
}

/** The port of the address: of the pool that is named there, else of the one that has the number. */
function useAskedPort(ports: PortsOf): { readonly protocol: Pool['protocol']; readonly port: number } | null {
  const params = new URLSearchParams(useSearch())
  const port = Number(params.get('port'))
  const wanted = params.get('protocol')
  const has = (protocol: Pool['protocol']): boolean => ports[protocol].some(one => one.port === port)
  const protocol = wanted === 'udp' || (wanted !== 'tcp' && !has('tcp')) ? 'udp' : 'tcp'
  const isThere = has(protocol)
  return useMemo(() => (isThere ? { protocol, port } : null), [isThere, protocol, port])
}

const KEYS = [
  ['', 'free'],
  ['used', 'used'],
  ['shared', 'shared by host name'],
  ['resting', 'resting'],
  ['reserved', 'reserved'],
  ['undeclared', 'no entry point on every node'],
] as const

function Legend(): ReactElement {
  return (
    <div className="keys">
      {KEYS.map(([state, words]) => (
        <span key={words}>
          <i className={`cell ${state}`} aria-hidden />
          {words}
        </span>
      ))}
      <span className="degraded">
        <i className="cell ill" aria-hidden />
        used, not live
      </span>
    </div>
  )
}
