/** The answer of `GET /agent/expected-state` as bytes. What all nodes share is sent from one buffer, however many are sent it at once. */
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { headerValues } from '../http/headers.ts'
import type { StateAnswer } from './expected-state.ts'

/** Below, the packing would be longer than what it saves. */
const LEAST_TO_COMPRESS = 1024

const takesGzip = (request: FastifyRequest): boolean =>
  headerValues(request.raw, 'accept-encoding')
    .join(',')
    .split(',')
    .some(coding => /^\s*(?:gzip|x-gzip)\s*(?:;\s*q=(?:1(?:\.0*)?|0?\.\d*[1-9]\d*)\s*)?$/i.test(coding))

/** In pieces that make one text, or, compressed, one file of two members (RFC 1952, 2.2). */
async function piecesOf(
  { head, shared, ownTail }: StateAnswer & { readonly kind: 'document' },
  compressed: boolean,
): Promise<readonly Buffer[]> {
  const start = Buffer.from(head)
  if (ownTail !== null) {
    const whole = Buffer.concat([start, Buffer.from(ownTail)])
    return [compressed ? gzipSync(whole) : whole]
  }
  return compressed ? [gzipSync(start, { level: 1 }), await shared.compressedTail()] : [start, shared.tail]
}

export async function sendState(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: StateAnswer,
): Promise<FastifyReply> {
  reply.headers({ etag: `W/${answer.etag}`, 'cache-control': 'private, no-cache', vary: 'accept-encoding' })
  if (answer.kind === 'unchanged') return reply.code(304).send()
  const compressed = takesGzip(request) && answer.shared.tail.length >= LEAST_TO_COMPRESS
  const pieces = await piecesOf(answer, compressed)
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (compressed) reply.header('content-encoding', 'gzip')
  return reply
    .type('application/json; charset=utf-8')
    .header('content-length', length)
    .send(Readable.from(pieces, { objectMode: false }))
}
