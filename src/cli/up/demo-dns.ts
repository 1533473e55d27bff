/** As much of DNS as `dig` needs to show that a datagram came through: one question, answered with a text. */

const HEADER_BYTES = 12
const TXT = 16
const IN = 1
const ANSWER_TTL_S = 0
const NOT_IMPLEMENTED = 4

type Question = { readonly name: string; readonly type: number; readonly end: number }

function readQuestion(query: Buffer): Question | null {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (;;) {
    const length = query[at]
    // A pointer has no place in a question that stands first.
    if (length === undefined || length > 63 || labels.length > 127) return null
    at += 1
    if (length === 0) break
    if (at + length > query.length) return null
    labels.push(query.toString('latin1', at, at + length))
    at += length
  }
  if (at + 4 > query.length) return null
  return { name: labels.join('.'), type: query.readUInt16BE(at), end: at + 4 }
}

/** The answer to a query, or null when the datagram is none. TXT gets the text, other types get "not implemented". */
export function answerDns(query: Buffer, textFor: (name: string) => string): Buffer | null {
  if (query.length < HEADER_BYTES + 5) return null
  const flags = query.readUInt16BE(2)
  const isQuery = (flags & 0xf800) === 0 && query.readUInt16BE(4) === 1 && query.readUInt16BE(6) === 0
  const question = isQuery ? readQuestion(query) : null
  if (question === null) return null
  const header = Buffer.alloc(HEADER_BYTES)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(1, 4)
  const asked = query.subarray(HEADER_BYTES, question.end)
  const recursionDesired = flags & 0x0100
  if (question.type !== TXT) {
    header.writeUInt16BE(0x8400 | recursionDesired | NOT_IMPLEMENTED, 2)
    return Buffer.concat([header, asked])
  }
  header.writeUInt16BE(0x8400 | recursionDesired, 2)
  header.writeUInt16BE(1, 6)
  const text = Buffer.from(textFor(question.name)).subarray(0, 255)
  const record = Buffer.alloc(13)
  // A pointer to the name of the question.
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  record.writeUInt16BE(TXT, 2)
  record.writeUInt16BE(IN, 4)
  record.writeUInt32BE(ANSWER_TTL_S, 6)
  record.writeUInt16BE(text.length + 1, 10)
  record.writeUInt8(text.length, 12)
  return Buffer.concat([header, asked, record, text])
}
