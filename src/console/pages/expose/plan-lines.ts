/** The plan of the control plane as lines to read: what is made is told in sentences, what changes field by field. Pure. */
import type { Plan, PlanChange, PlanValue } from '../../../api/plan.ts'
import { counted } from '../../words/count.ts'

export type PlanLine = {
  readonly sign: '+' | '~' | '−' | '!' | '='
  readonly text: string
  /** Shown as code. */
  readonly code?: string
  readonly before?: string
  /** In bold. */
  readonly value?: string
}

const NAMES: Readonly<Record<string, string>> = {
  service: 'Service',
  endpoint: 'Backend',
  project: 'Project',
  address: 'Address',
  protocol: 'Protocol',
  port: 'Backend port',
  isPublic: 'Public',
  externalPort: 'Public port',
  externalPortEnd: 'Last port',
  shared: 'Shared port',
  domain: 'Domain',
  pathPrefix: 'Path',
  redirectToHttps: 'Redirect to HTTPS',
  sniHostname: 'Host name',
  passthrough: 'TLS passthrough',
  tls: 'TLS',
  certResolver: 'Certificate resolver',
  allowCidrs: 'May connect',
  maxConnectionsPerClient: 'Connections per client',
  proxyProtocol: 'PROXY protocol',
  healthCheck: 'Health check',
  probe: 'Probe',
  expiresAt: 'Ends',
  expiry: 'Ends',
  preset: 'Preset',
  wish: 'Public port',
  wishEnd: 'Last port',
}

/** A field as people call it. */
export const fieldWords = (what: string): string => {
  const field = bare(what)
  return Object.hasOwn(NAMES, field) ? (NAMES[field] ?? field) : field.charAt(0).toUpperCase() + field.slice(1)
}

const bare = (what: string): string => what.replace(/^ports\[\d+\]\./, '')

export function valueWords(value: PlanValue | undefined): string {
  if (value === undefined || value === null) return 'none'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (Array.isArray(value)) return value.length > 3 ? counted(value.length, 'network') : value.join(', ') || 'anyone'
  return String(value)
}

/** The address that clients will use, and the one that they used; null: the plan does not touch it. */
export const addressOf = (plan: Plan): PlanChange | null =>
  plan.changes.find(({ what }) => bare(what) === 'address') ?? null

/** Told by the sentence about the route, or worth no line. */
const IN_SENTENCE: ReadonlySet<string> = new Set([
  'protocol',
  'port',
  'isPublic',
  'externalPort',
  'externalPortEnd',
  'shared',
  'sniHostname',
  'tls',
  'preset',
  'address',
])

/** `nodes`: how many will get it. */
export function planLines(plan: Plan, nodes: number): readonly PlanLine[] {
  const { changes } = plan
  const added = new Map(
    changes.filter(({ op }) => op === 'add').map(change => [bare(change.what), change.after ?? null]),
  )
  const isNewPort = added.has('protocol') && added.has('port')
  const lines: PlanLine[] = []
  if (added.has('service')) {
    const backends = changes.filter(({ op, what }) => op === 'add' && what === 'endpoint').length
    lines.push({
      sign: '+',
      text: `with ${counted(backends, 'backend')}, port ${valueWords(added.get('port'))}`,
      value: `Service ${valueWords(added.get('service'))}`,
    })
  }
  if (isNewPort) lines.push(...routeLines(added, nodes))
  for (const change of changes) {
    const field = bare(change.what)
    const isTold =
      field === 'address' ||
      (isNewPort && change.op === 'add' && IN_SENTENCE.has(field)) ||
      (added.has('service') && (field === 'service' || field === 'endpoint') && change.op === 'add')
    if (!isTold) lines.push(lineOf(change))
  }
  return lines
}

function routeLines(added: ReadonlyMap<string, PlanValue>, nodes: number): readonly PlanLine[] {
  const protocol = valueWords(added.get('protocol'))
  const number = added.get('externalPort') ?? null
  const end = added.get('externalPortEnd') ?? null
  const where = nodes === 0 ? 'once a node is enrolled' : `on ${counted(nodes, 'node')}`
  const route: PlanLine = { sign: '+', text: where, value: `${protocol.toUpperCase()} route` }
  if (protocol === 'http') return [route]
  const entryPoint = end === null ? `${protocol}-${number}` : `${protocol}-${number} to ${protocol}-${end}`
  const lines: PlanLine[] = [{ ...route, text: `${where}, entry point`, code: entryPoint }]
  if (protocol === 'tcp') {
    const tls = added.get('tls')
    const words =
      tls === 'passthrough'
        ? 'TLS passed through'
        : tls === 'terminate'
          ? 'TLS ends at the proxy'
          : 'no TLS at the proxy'
    lines.push({ sign: '+', text: words, code: `HostSNI(\`${valueWords(added.get('sniHostname') ?? '*')}\`)` })
  }
  return lines
}

function lineOf({ op, what, before, after }: PlanChange): PlanLine {
  if (op === 'note') return { sign: '!', text: `${what.charAt(0).toUpperCase()}${what.slice(1)}.` }
  const text = fieldWords(what)
  if (op === 'remove') return { sign: '−', text, value: valueWords(before) }
  if (op === 'add') return { sign: '+', text, value: valueWords(after) }
  return { sign: '~', text, before: valueWords(before), value: valueWords(after) }
}
