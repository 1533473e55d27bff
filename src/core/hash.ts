/** Canonical bytes, and hashes over them: equal values give equal text, whatever the order in which their keys were written. */
import { createHash } from 'node:crypto'
import type { DynamicConfig } from './dynamic-config.ts'
import type { HttpRoute, TcpRoute, UdpRoute } from './route.ts'

/** JSON with sorted keys. `undefined` members are left out, as JSON.stringify does. Order within lists is kept: it means something. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  // Grown by hand: this runs over whole configurations, and lists of members made on the way cost three times as much.
  let text = ''
  if (Array.isArray(value)) {
    for (const member of value) text += text === '' ? canonicalJson(member) : `,${canonicalJson(member)}`
    return `[${text}]`
  }
  const record = value as Readonly<Record<string, unknown>>
  for (const key of Object.keys(record).sort()) {
    const member = record[key]
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`
  }
  return `{${text}}`
}

const kept = new WeakMap<object, string>()

/** The same for an object that never changes, a route or a router: kept with it, since most of a configuration is as it was before. */
export function keptJson(value: object): string {
  const known = kept.get(value)
  if (known !== undefined) return known
  const text = canonicalJson(value)
  kept.set(value, text)
  return text
}

/** SHA-256 of the text, 64 hexadecimal digits. */
export const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')

/** SHA-256 of the canonical JSON, 64 hexadecimal digits. */
export const contentHash = (value: unknown): string => sha256(canonicalJson(value))

const sortedHash = (values: readonly object[]): string => sha256(values.map(keptJson).sort().join('\n'))

/** Of the HTTP routes as parsed; the order of the list does not matter. 64 hexadecimal digits. */
export const hashHttpRoutes = (routes: readonly HttpRoute[]): string => sortedHash(routes)
/** Of the TCP routes as parsed; the order of the list does not matter. */
export const hashTcpRoutes = (routes: readonly TcpRoute[]): string => sortedHash(routes)
/** Of the UDP routes as parsed; the order of the list does not matter. */
export const hashUdpRoutes = (routes: readonly UdpRoute[]): string => sortedHash(routes)

export type SectionHashes = { readonly http: string; readonly tcp: string; readonly udp: string }

/** Of what was compiled, section by section: says which protocol a change touched. */
export const hashSections = (config: DynamicConfig): SectionHashes => ({
  http: contentHash(config.http ?? null),
  tcp: contentHash(config.tcp ?? null),
  udp: contentHash(config.udp ?? null),
})
