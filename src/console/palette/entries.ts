/**
 * What the palette offers for what was typed. Pure: rows in, entries out.
 *
 * Things to do come first, then places, services, routes that are not live, ports by number, nodes. Nothing found offers to expose it.
 */
import type { Node } from '../../api/node.ts'
import type { RouteRow } from '../../api/route.ts'
import type { ServiceRow } from '../../api/service.ts'
import { href, MAIN_PLACES, SIDE_PLACES } from '../places.ts'
import type { RouteVerdict } from '../verdict/verdict.ts'

export type PaletteEntry = {
  readonly id: string
  readonly group: 'Do' | 'Services' | 'Not live' | 'Nodes' | 'Go to' | 'Copy'
  readonly icon: 'plus' | 'server' | 'copy' | 'boxes' | 'route' | 'place' | 'keyboard' | 'port'
  readonly label: string
  /** At the right, in grey. */
  readonly hint: string
  readonly verdict?: RouteVerdict
  readonly deed:
    | { readonly kind: 'go'; readonly href: string }
    | { readonly kind: 'copy'; readonly text: string }
    | { readonly kind: 'keys' }
  /** What is looked in, lower case. */
  readonly line: string
}

export type PaletteRows = {
  readonly services: readonly ServiceRow[]
  readonly routes: readonly (RouteRow & { readonly shown: RouteVerdict })[]
  readonly nodes: readonly Pick<Node, 'id' | 'name' | 'status'>[]
}

/** Of one group at once: a person reads no more. */
const MOST_OF_GROUP = 6

const entry = (parts: Omit<PaletteEntry, 'line'>, more: readonly (string | number)[] = []): PaletteEntry => ({
  ...parts,
  line: [parts.label, parts.hint, ...more].join('\n').toLowerCase(),
})

/** Everything that can be found; made once each time the palette opens. */
export function paletteEntries({ services, routes, nodes }: PaletteRows): readonly PaletteEntry[] {
  const deeds = [
    entry({ id: 'expose', group: 'Do', icon: 'plus', label: 'Expose a port', hint: 'C', deed: go(href.newService()) }, [
      'new service create',
    ]),
    entry({ id: 'enrol', group: 'Do', icon: 'server', label: 'Enrol a node', hint: '', deed: go(href.enrol()) }, [
      'enroll new proxy',
    ]),
    entry({ id: 'keys', group: 'Do', icon: 'keyboard', label: 'Show the keys', hint: '?', deed: { kind: 'keys' } }, [
      'shortcuts help',
    ]),
  ]
  const places = [...MAIN_PLACES, ...SIDE_PLACES].map(({ name, label, path, key }) =>
    entry({
      id: `place-${name}`,
      group: 'Go to',
      icon: 'place',
      label,
      hint: key === null ? '' : `G ${key.toUpperCase()}`,
      deed: go(path),
    }),
  )
  const found = services.map(({ id, name, addresses, endpoints, ports }) =>
    entry(
      {
        id,
        group: 'Services',
        icon: 'boxes',
        label: name,
        hint: addresses[0] ?? 'not public',
        deed: go(href.service(id)),
      },
      [...addresses, ...endpoints, ...ports],
    ),
  )
  const copies = services.flatMap(({ id, name, addresses: [address] }) =>
    address === undefined
      ? []
      : [
          entry({
            id: `copy-${id}`,
            group: 'Copy',
            icon: 'copy',
            label: `Copy the address of ${name}`,
            hint: address,
            deed: { kind: 'copy', text: address },
          }),
        ],
  )
  const notLive = routes
    .filter(({ shown }) => shown !== 'live' && shown !== 'gone')
    .map(({ id, name, address, shown }) =>
      entry(
        {
          id: `route-${id}`,
          group: 'Not live',
          icon: 'route',
          label: name,
          hint: address,
          verdict: shown,
          deed: go(href.route(id)),
        },
        [shown],
      ),
    )
  const machines = nodes
    .filter(({ status }) => status !== 'retired')
    .map(({ id, name, status }) =>
      entry({
        id,
        group: 'Nodes',
        icon: 'server',
        label: name,
        hint: status === 'lost' ? 'lost' : '',
        deed: go(href.node(id)),
      }),
    )
  return [...deeds, ...copies, ...places, ...found, ...notLive, ...machines]
}

const go = (to: string): PaletteEntry['deed'] => ({ kind: 'go', href: to })
const ORDER: readonly PaletteEntry['group'][] = ['Do', 'Services', 'Not live', 'Nodes', 'Go to', 'Copy']
const ORDER_AT_FIRST: readonly PaletteEntry['group'][] = ['Do', 'Not live', 'Go to']

/** What is offered for a query, in groups. */
export function findEntries(
  all: readonly PaletteEntry[],
  query: string,
  /** All services are among them: only then is it known that none has a name. */
  isWhole = true,
): readonly PaletteEntry[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0)
    return ORDER_AT_FIRST.flatMap(group => all.filter(one => one.group === group).slice(0, MOST_OF_GROUP + 1))
  const found = all.filter(({ line }) => words.every(word => line.includes(word)))
  const first = words[0] ?? ''
  // A name that begins with what was typed goes before one that only holds it.
  const rank = ({ label }: PaletteEntry): number => (label.toLowerCase().startsWith(first) ? 0 : 1)
  const offered = ORDER.flatMap(group => {
    const some = found.filter(one => one.group === group).sort((one, other) => rank(one) - rank(other))
    // Copying is offered when little is left to choose from: else every service would be there twice.
    return group === 'Copy' && some.length > 3 ? [] : some.slice(0, MOST_OF_GROUP)
  })
  if (offered.length > 0) return offered
  const wanted = query.trim()
  return [
    entry({
      id: 'expose-this',
      group: 'Do',
      icon: 'plus',
      label: `Expose “${wanted}”`,
      hint: isWhole ? 'nothing has that name' : '',
      deed: go(href.newService(/^[a-z0-9][a-z0-9-]*$/.test(wanted) ? { name: wanted } : {})),
    }),
  ]
}
