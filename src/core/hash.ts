/** Canonical bytes, and hashes over them: equal values give equal text, whatever the order in which their keys were written. */
import { createHash } from 'node:crypto'

/** JSON with sorted keys. `undefined` members are left out, as JSON.stringify does. Order within lists is kept: it means something. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
    return `{${members.join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

/** SHA-256 of the text, 64 hexadecimal digits. */
export const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')

/** SHA-256 of the canonical JSON, 64 hexadecimal digits. */
export const contentHash = (value: unknown): string => sha256(canonicalJson(value))
