/**
 * The bytes of one saved generation: a header line and the payload.
 *
 *   {"magic":"fairlead-snapshot","format":1,"savedAt":1764000000000,"length":1234,"sha256":"..."}\n
 *   <length bytes of JSON>
 *
 * The checksum covers the header as well as the payload, and the header must be written just as we write it, so a single
 * changed, missing or added bit anywhere makes the file broken. The header stays the same in every format: only so can an older
 * agent tell a newer agent's file from a broken one.
 */
import { createHash } from 'node:crypto'

const MAGIC = 'fairlead-snapshot'
const MAX_HEADER_BYTES = 512
const NEWLINE = 0x0a

export type DecodedSnapshot =
  | {
      readonly whole: true
      readonly format: number
      /** Milliseconds since 1970. */
      readonly savedAt: number
      readonly payload: Uint8Array
    }
  /** `fault` is a phrase: `the checksum does not fit`. */
  | { readonly whole: false; readonly fault: string }

type Facts = { readonly format: number; readonly savedAt: number; readonly length: number }

const checksum = ({ format, savedAt, length }: Facts, payload: Uint8Array): string =>
  createHash('sha256').update(`${MAGIC}\n${format}\n${savedAt}\n${length}\n`).update(payload).digest('hex')

const headerLine = ({ format, savedAt, length }: Facts, sha256: string): string =>
  JSON.stringify({ magic: MAGIC, format, savedAt, length, sha256 })

/** The two parts of the file, in order. */
export function encodeSnapshot(
  payload: Uint8Array,
  { format, savedAt }: Pick<Facts, 'format' | 'savedAt'>,
): readonly [Uint8Array, Uint8Array] {
  const facts = { format, savedAt, length: payload.byteLength }
  return [Buffer.from(`${headerLine(facts, checksum(facts, payload))}\n`), payload]
}

const broken = (fault: string): DecodedSnapshot => ({ whole: false, fault })
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** Total: never throws, whatever the bytes are. The payload is a view of `bytes`. */
export function decodeSnapshot(bytes: Uint8Array): DecodedSnapshot {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(NEWLINE)
  if (end < 0) return broken('the header does not end')
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('utf8')
  let header: unknown
  try {
    header = JSON.parse(line)
  } catch {
    return broken('the header is not JSON')
  }
  if (typeof header !== 'object' || header === null) return broken('the header is not an object')
  const { magic, format, savedAt, length, sha256 } = { ...emptyHeader, ...header }
  if (magic !== MAGIC) return broken('it is not a snapshot of ours')
  if (!isCount(format) || !isCount(savedAt) || !isCount(length) || typeof sha256 !== 'string')
    return broken('the header lacks a field')
  const facts = { format, savedAt, length }
  if (headerLine(facts, sha256) !== line) return broken('the header is not as we write it')
  const payload = bytes.subarray(end + 1)
  if (payload.byteLength !== length) return broken(`${payload.byteLength} bytes follow, not ${length}`)
  if (checksum(facts, payload) !== sha256) return broken('the checksum does not fit')
  return { whole: true, format, savedAt, payload }
}

type Header = Readonly<Record<'magic' | 'format' | 'savedAt' | 'length' | 'sha256', unknown>>
const emptyHeader: Header = {
  magic: undefined,
  format: undefined,
  savedAt: undefined,
  length: undefined,
  sha256: undefined,
}
