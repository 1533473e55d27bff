/** Ids: a word for the kind of thing, then a UUID of version 7 (RFC 9562) without hyphens, so that they sort by the time of their making. */
import { randomBytes } from 'node:crypto'

export type IdPrefix = 'cp' | 'prj' | 'svc' | 'end' | 'prt' | 'srv' | 'enr' | 'tok' | 'req'

export type IdSources = {
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly random?: (size: number) => Buffer
}

/** `svc_01946f6c8ab17c0e9d3f2b8a5e6c7d10` */
export function makeId(prefix: IdPrefix, { now = Date.now, random = randomBytes }: IdSources = {}): string {
  const bytes = random(16)
  bytes.writeUIntBE(now(), 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  return `${prefix}_${bytes.toString('hex')}`
}
