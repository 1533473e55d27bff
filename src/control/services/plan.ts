/** What a write changes, told as the difference of two views: the answer to a dry run. Pure. */
import type { PlanChange, PlanValue } from '../../api/plan.ts'
import type { OpenConnections, Port } from '../../api/port.ts'
import type { Endpoint } from '../../api/service.ts'
import { connectionsText } from './connections.ts'

/** In the order in which people care: what clients use comes first. */
const FIELDS = [
  'address',
  'protocol',
  'port',
  'isPublic',
  'externalPort',
  'externalPortEnd',
  'shared',
  'domain',
  'pathPrefix',
  'redirectToHttps',
  'sniHostname',
  'tls',
  'certResolver',
  'allowCidrs',
  'maxConnectionsPerClient',
  'proxyProtocol',
  'healthCheck',
  'probe',
  'expiresAt',
  'preset',
] as const satisfies readonly (keyof Port)[]

type Shown = Pick<Port, (typeof FIELDS)[number]>

function planValue(value: Shown[keyof Shown]): PlanValue {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value) : value
}

const same = (one: PlanValue, other: PlanValue): boolean => JSON.stringify(one) === JSON.stringify(other)

/** What a field is when nobody said anything: not worth a line of its own. */
const isUsual = (value: PlanValue): boolean =>
  value === null || value === false || (Array.isArray(value) && value.length === 0)

export const note = (what: string): PlanChange => ({ op: 'note', what })

/** @param prefix in front of the fields, such as `ports[0].` */
export function addedPort(port: Port, prefix = ''): PlanChange[] {
  return FIELDS.flatMap((field): PlanChange[] => {
    const after = planValue(port[field])
    return isUsual(after) ? [] : [{ op: 'add', what: `${prefix}${field}`, after }]
  })
}

export function removedPort(port: Port, prefix = ''): PlanChange[] {
  const what = `${prefix}${port.address === null ? 'port' : 'address'}`
  return [{ op: 'remove', what, before: port.address ?? port.port }]
}

export function changedPort(before: Port, after: Port): PlanChange[] {
  return FIELDS.flatMap((what): PlanChange[] => {
    const [was, is] = [planValue(before[what]), planValue(after[what])]
    if (same(was, is)) return []
    if (what === 'address' && is === null) return [{ op: 'remove', what, before: was }]
    if (what === 'address' && was === null) return [{ op: 'add', what, after: is }]
    return [{ op: 'change', what, before: was, after: is }]
  })
}

export function changedEndpoints(before: readonly Endpoint[], after: readonly Endpoint[]): PlanChange[] {
  const was = new Map(before.map(({ address, weight }) => [address, weight]))
  const is = new Map(after.map(({ address, weight }) => [address, weight]))
  return [
    ...before
      .filter(({ address }) => !is.has(address))
      .map(({ address }): PlanChange => ({ op: 'remove', what: 'endpoint', before: address })),
    ...after
      .filter(({ address }) => !was.has(address))
      .map(({ address }): PlanChange => ({ op: 'add', what: 'endpoint', after: address })),
    ...after
      .filter(({ address, weight }) => was.has(address) && was.get(address) !== weight)
      .map(
        ({ address, weight }): PlanChange => ({
          op: 'change',
          what: `weight of ${address}`,
          before: was.get(address) ?? null,
          after: weight,
        }),
      ),
  ]
}

/** What one would want to know before it is done. */
export function warnings(port: Port, preset: { readonly title: string; readonly sensitive: boolean }): PlanChange[] {
  const found: PlanChange[] = []
  if (port.address === null) return found
  if (preset.sensitive && port.protocol === 'tcp' && port.allowCidrs.length === 0)
    found.push(note(`anyone on the Internet can reach this ${preset.title}; allowCidrs confines it`))
  if (port.protocol === 'http' && port.domain?.startsWith('*.') && port.certResolver === null)
    found.push(note('a wildcard needs a certificate resolver with a DNS challenge: name one in certResolver'))
  return found
}

/** Connections outlive the change of a route. */
export const stayOpen = (open: readonly OpenConnections[]): PlanChange[] =>
  open.length === 0 ? [] : [note(`connections that are open stay open on the old route: ${connectionsText(open)}`)]
