/**
 * The form of a port: what is in it, what a change of one field does to the others, and what is sent of it.
 *
 * The pair that Traefik refuses (a host name without TLS) cannot be entered: with a host name TLS passes through or ends at the proxy,
 * without one there is either no TLS to see or a passthrough of any TLS.
 */
import { presetOfPort } from '../../../api/offer.ts'
import type { Port, PortInput, PortPatch, PresetId } from '../../../api/port.ts'
import type { Preset, ServiceInput } from '../../../api/service.ts'
import type { Protocol } from '../../../core/problem.ts'

/** As it is sent: a time is text there. */
export type PortBody = Omit<PortInput, 'expiresAt'> & { readonly expiresAt?: string | null }
export type PatchBody = Omit<PortPatch, 'expiresAt'> & { readonly expiresAt?: string | null }
export type ServiceBody = Omit<ServiceInput, 'ports'> & { readonly ports: readonly PortBody[] }

export type Backend = { readonly address: string; readonly weight: number }
export type Door = 'auto' | 'shared' | 'wish'
export type Expiry = 'never' | '2h' | 'today' | 'date'

export type PortForm = {
  readonly protocol: Protocol
  readonly preset: PresetId
  readonly name: string
  /** False: the name is offered (offered-name.ts), and follows preset and address. */
  readonly isOwnName: boolean
  /** False: nobody has chosen the preset, so that the port of an address may. */
  readonly isOwnPreset: boolean
  /** Empty: what the control plane takes by itself. */
  readonly projectId: string
  readonly backends: readonly Backend[]
  readonly port: string
  readonly domain: string
  readonly pathPrefix: string
  readonly redirectToHttps: boolean
  readonly certResolver: string
  readonly byName: boolean
  readonly sniHostname: string
  readonly passthrough: boolean
  readonly door: Door
  /** A shared number. */
  readonly shared: string
  readonly wish: string
  /** The last one of a block; empty: a single number. */
  readonly wishEnd: string
  readonly allowCidrs: readonly string[]
  readonly maxConnectionsPerClient: string
  readonly proxyProtocol: '' | '1' | '2'
  readonly probe: boolean
  readonly expiry: Expiry
  /** Of `<input type="datetime-local">`, in the time zone of the browser. */
  readonly expiresAt: string
}

/** What is filled in; the rest says who did it. */
export type FormField = Exclude<keyof PortForm, 'isOwnName' | 'isOwnPreset'>

export const EMPTY_FORM: PortForm = {
  protocol: 'tcp',
  preset: 'postgres',
  name: '',
  isOwnName: false,
  isOwnPreset: false,
  projectId: '',
  backends: [],
  port: '5432',
  domain: '',
  pathPrefix: '/',
  redirectToHttps: true,
  certResolver: '',
  byName: false,
  sniHostname: '',
  passthrough: false,
  door: 'auto',
  shared: '',
  wish: '',
  wishEnd: '',
  allowCidrs: [],
  maxConnectionsPerClient: '',
  proxyProtocol: '',
  probe: true,
  expiry: 'never',
  expiresAt: '',
}

/** Presets of a protocol, those with a name of their own first. */
export const presetsOf = (presets: readonly Preset[], protocol: Protocol): readonly Preset[] =>
  presets.filter(preset => preset.protocol === protocol || preset.id === 'custom')

/** Another preset brings its port and its probe, and takes the host name where its clients can send none. */
export function withPreset(form: PortForm, preset: Preset, all: readonly Preset[]): PortForm {
  const isUsual = form.port === '' || all.some(({ port }) => String(port) === form.port)
  return {
    ...form,
    preset: preset.id,
    port: preset.port !== null && isUsual ? String(preset.port) : form.port,
    probe: preset.probe !== null && preset.probe !== false,
    ...(preset.sni ? {} : withoutName(form)),
  }
}

const withoutName = ({ door }: PortForm): Partial<PortForm> => ({
  byName: false,
  passthrough: false,
  ...(door === 'shared' ? { door: 'auto' as const } : {}),
})

/** Name and backends stay; what the other protocol has no word for goes. */
export function withProtocol(form: PortForm, protocol: Protocol, presets: readonly Preset[]): PortForm {
  if (protocol === form.protocol) return form
  const [first] = presetsOf(presets, protocol)
  const next: PortForm = {
    ...form,
    ...withoutName(form),
    protocol,
    wish: '',
    wishEnd: '',
    door: 'auto',
    allowCidrs: protocol === 'tcp' ? form.allowCidrs : [],
    maxConnectionsPerClient: protocol === 'tcp' ? form.maxConnectionsPerClient : '',
    proxyProtocol: protocol === 'tcp' ? form.proxyProtocol : '',
  }
  return first === undefined ? next : withPreset(next, first, presets)
}

/** With a host name TLS passes through unless it is told to end here; without one it is nobody's business. */
export function withByName(form: PortForm, byName: boolean, sharedPorts: readonly number[]): PortForm {
  if (!byName) return { ...form, ...withoutName(form) }
  const [shared] = sharedPorts
  const isShared = shared !== undefined && form.door === 'auto'
  return {
    ...form,
    byName: true,
    passthrough: true,
    ...(isShared ? { door: 'shared' as const, shared: String(shared) } : {}),
  }
}

/** Which fields a change of protocol would drop that have something in them, in words; empty: none. */
export function droppedBy(before: PortForm, after: PortForm): readonly string[] {
  const dropped: string[] = []
  if (before.byName && !after.byName && before.sniHostname !== '') dropped.push('the host name')
  if (before.allowCidrs.length > 0 && after.allowCidrs.length === 0) dropped.push('who may connect')
  if (before.maxConnectionsPerClient !== '' && after.maxConnectionsPerClient === '')
    dropped.push('the connection limit')
  if (before.proxyProtocol !== '' && after.proxyProtocol === '') dropped.push('the PROXY protocol')
  if (before.wish !== '' && after.wish === '') dropped.push('the wanted port')
  return dropped
}

/** `10.200.1.5:5432`, `10.200.1.5`, `[fd00::5]:5432`, `fd00::5`: the address, and the port when there is one. */
export function splitAddress(text: string): { readonly address: string; readonly port: string | null } {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text)
  if (bracketed?.[1] !== undefined) return { address: bracketed[1], port: bracketed[2] ?? null }
  const plain = /^([^:]+):(\d{1,5})$/.exec(text)
  if (plain?.[1] !== undefined) return { address: plain[1], port: plain[2] ?? null }
  return { address: text, port: null }
}

/**
 * What was typed or pasted, by commas, spaces or lines. A port with it becomes that of the form, and says what listens there unless
 * somebody has chosen that.
 */
export function addBackends(form: PortForm, text: string, presets: readonly Preset[]): PortForm {
  const parts = text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map(splitAddress)
  const known = new Set(form.backends.map(({ address }) => address))
  const added = parts.filter(({ address }) => !known.has(address) && known.add(address))
  const backends = [...form.backends, ...added.map(({ address }) => ({ address, weight: 1 }))]
  const port = parts.find(one => one.port !== null)?.port ?? null
  return port === null ? { ...form, backends } : withUsualPreset({ ...form, port, backends }, presets)
}

function withUsualPreset(form: PortForm, presets: readonly Preset[]): PortForm {
  if (form.isOwnPreset || form.protocol === 'http') return form
  const custom = presets.find(({ id }) => id === 'custom')
  const preset = presetOfPort(presets, form.protocol, Number(form.port)) ?? custom
  return preset === undefined || preset.id === form.preset ? form : withPreset(form, preset, presets)
}

const isWhole = (text: string, from: number, to: number): boolean =>
  /^\d{1,7}$/.test(text) && Number(text) >= from && Number(text) <= to

/** What is missing or cannot be, before the control plane is asked. It has the last word on everything else. */
export function formFaults(form: PortForm, asks: 'service' | 'port'): ReadonlyMap<FormField, string> {
  const faults = new Map<FormField, string>()
  if (asks === 'service') {
    // An offered name is there as soon as the address is.
    if (form.isOwnName && form.name.trim() === '') faults.set('name', 'A name is needed.')
    if (form.backends.length === 0) faults.set('backends', 'At least one address is needed: 10.200.1.5')
  }
  if (!isWhole(form.port, 1, 65_535)) faults.set('port', 'A number from 1 to 65535.')
  if (form.protocol === 'http' && form.domain.trim() === '') faults.set('domain', 'A domain is needed: app.example.com')
  if (form.protocol === 'tcp' && form.byName && form.sniHostname.trim() === '')
    faults.set('sniHostname', 'A host name is needed while routing by name is on.')
  if (form.protocol !== 'http' && form.door === 'wish') {
    if (!isWhole(form.wish, 1, 65_535)) faults.set('wish', 'A number from 1 to 65535.')
    if (form.wishEnd !== '' && !isWhole(form.wishEnd, 1, 65_535)) faults.set('wishEnd', 'A number from 1 to 65535.')
  }
  if (form.maxConnectionsPerClient !== '' && !isWhole(form.maxConnectionsPerClient, 1, 1_000_000))
    faults.set('maxConnectionsPerClient', 'A whole number from 1.')
  if (form.expiry === 'date' && Number.isNaN(Date.parse(form.expiresAt))) faults.set('expiresAt', 'A day and a time.')
  return faults
}

const TWO_HOURS_MS = 2 * 3_600_000

/** When it ends; `now`: milliseconds since 1970. Today ends at midnight where the browser is. */
export function expiryOf({ expiry, expiresAt }: Pick<PortForm, 'expiry' | 'expiresAt'>, now: number): string | null {
  switch (expiry) {
    case 'never':
      return null
    case '2h':
      return new Date(now + TWO_HOURS_MS).toISOString()
    case 'today': {
      const day = new Date(now)
      return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).toISOString()
    }
    case 'date':
      return Number.isNaN(Date.parse(expiresAt)) ? null : new Date(expiresAt).toISOString()
    default: {
      const never: never = expiry
      return never
    }
  }
}

/** All of a port as it is to be: of a new one, and of one that is changed, where null is what a new one would have. */
function portFields(form: PortForm, now: number): Omit<PortBody, 'protocol' | 'port'> {
  const { protocol, door } = form
  const isTcp = protocol === 'tcp'
  const isHttp = protocol === 'http'
  const number = (text: string): number | null => (text === '' ? null : Number(text))
  return {
    isPublic: true,
    preset: form.preset,
    domain: isHttp ? form.domain.trim() : null,
    pathPrefix: isHttp && form.pathPrefix.trim() !== '' ? form.pathPrefix.trim() : null,
    redirectToHttps: isHttp ? form.redirectToHttps : null,
    certResolver:
      (isHttp || (isTcp && form.byName && !form.passthrough)) && form.certResolver.trim() !== ''
        ? form.certResolver.trim()
        : null,
    externalPort: !isHttp && door === 'wish' ? number(form.wish) : null,
    externalPortEnd: !isHttp && door === 'wish' && !form.byName ? number(form.wishEnd) : null,
    shared: isTcp && form.byName && door === 'shared' ? number(form.shared) : null,
    sniHostname: isTcp && form.byName ? form.sniHostname.trim() : null,
    tls: isTcp ? (form.passthrough ? 'passthrough' : form.byName ? 'terminate' : 'none') : null,
    tlsPassthrough: isTcp ? form.passthrough : null,
    allowCidrs: isTcp ? [...form.allowCidrs] : null,
    maxConnectionsPerClient: isTcp ? number(form.maxConnectionsPerClient) : null,
    proxyProtocol: isTcp && form.proxyProtocol !== '' ? (form.proxyProtocol === '1' ? 1 : 2) : null,
    probe: form.probe,
    expiresAt: expiryOf(form, now),
  }
}

const withoutNulls = <T extends object>(fields: T): T =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0)),
  ) as T

export const portInput = (form: PortForm, now: number): PortBody => ({
  port: Number(form.port),
  protocol: form.protocol,
  ...withoutNulls(portFields(form, now)),
})

/** `was`: as it stands in the control plane. A probe or a time that the form has no field for stays what it is. */
export function portPatch(form: PortForm, was: Port, now: number): PatchBody {
  const fields = portFields(form, now)
  const before = formOfPort(was)
  const { probe, expiresAt, preset, ...rest } = fields
  return {
    port: Number(form.port),
    protocol: form.protocol,
    ...rest,
    ...(form.preset === before.preset ? {} : { preset }),
    ...(form.probe === before.probe ? {} : { probe }),
    ...(form.expiry === before.expiry && form.expiresAt === before.expiresAt ? {} : { expiresAt }),
  }
}

export const serviceInput = (form: PortForm, now: number): ServiceBody => ({
  ...(form.projectId === '' ? {} : { projectId: form.projectId }),
  name: form.name.trim(),
  preset: form.preset,
  endpoints: form.backends.map(({ address, weight }) => ({ address, weight })),
  ports: [portInput(form, now)],
})

const localTime = (iso: string): string => {
  const time = new Date(iso)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}`
}

export function formOfPort(port: Port): PortForm {
  const shared = port.shared === null ? '' : String(port.shared)
  return {
    ...EMPTY_FORM,
    protocol: port.protocol,
    preset: port.preset ?? 'custom',
    port: String(port.port),
    domain: port.domain ?? '',
    pathPrefix: port.pathPrefix ?? '/',
    redirectToHttps: port.redirectToHttps ?? true,
    certResolver: port.certResolver ?? '',
    byName: port.sniHostname !== null,
    sniHostname: port.sniHostname ?? '',
    passthrough: port.tls === 'passthrough' || port.tlsPassthrough,
    door: shared !== '' ? 'shared' : port.externalPort === null ? 'auto' : 'wish',
    shared,
    wish: shared === '' && port.externalPort !== null ? String(port.externalPort) : '',
    wishEnd: port.externalPortEnd === null ? '' : String(port.externalPortEnd),
    allowCidrs: port.allowCidrs,
    maxConnectionsPerClient: port.maxConnectionsPerClient === null ? '' : String(port.maxConnectionsPerClient),
    proxyProtocol: port.proxyProtocol === 1 ? '1' : port.proxyProtocol === 2 ? '2' : '',
    probe: port.probe !== null && port.probe !== false,
    expiry: port.expiresAt === null ? 'never' : 'date',
    expiresAt: port.expiresAt === null ? '' : localTime(port.expiresAt),
  }
}

/** Which field of the form a fault of the control plane belongs to; null: it stands at the foot. */
export function fieldOfFault(path: string): FormField | null {
  const field = path.replace(/^ports\[0\]\.?/, '')
  if (/^endpoints/.test(field)) return 'backends'
  const [head = ''] = field.split(/[.[]/)
  switch (head) {
    case 'externalPort':
      return 'wish'
    case 'externalPortEnd':
      return 'wishEnd'
    case 'tls':
    case 'tlsPassthrough':
      return 'passthrough'
    default:
      return FIELDS.find(known => known === head) ?? null
  }
}

const { isOwnName: _name, isOwnPreset: _preset, ...FILLED_IN } = EMPTY_FORM
const FIELDS = Object.keys(FILLED_IN) as readonly FormField[]

/** Fields in which two forms differ: what was changed. */
export const changedFields = (one: PortForm, other: PortForm): readonly FormField[] =>
  FIELDS.filter(field => JSON.stringify(one[field]) !== JSON.stringify(other[field]))

const quoted = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** The same by terminal, one option a line. */
export function exposeCommand(form: PortForm): readonly string[] {
  const [first] = form.backends
  const host = first === undefined ? 'ADDRESS' : first.address.includes(':') ? `[${first.address}]` : first.address
  const options = [
    form.protocol === 'tcp' ? '' : `--protocol ${form.protocol}`,
    // The command makes up the same one.
    form.isOwnName && form.name.trim() !== '' ? `--name ${quoted(form.name.trim())}` : '',
    form.preset === 'custom' ? '' : `--preset ${form.preset}`,
    form.protocol === 'http' && form.domain !== '' ? `--domain ${quoted(form.domain.trim())}` : '',
    form.protocol === 'tcp' && form.byName && form.sniHostname !== '' ? `--sni ${quoted(form.sniHostname.trim())}` : '',
    form.protocol !== 'http' && form.door === 'wish' && form.wish !== '' ? `--port ${quoted(form.wish)}` : '',
    form.allowCidrs.length === 0 ? '' : `--allow ${quoted(form.allowCidrs.join(','))}`,
    form.expiry === '2h' ? '--expires 2h' : '',
    '--wait',
  ]
  return [`fairlead expose ${quoted(`${host}:${form.port}`)}`, ...options.filter(Boolean)]
}
