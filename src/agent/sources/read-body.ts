/**
 * A response's body, whole or not at all.
 *
 *   bytes as sent (counted) -> gunzip, inflate, brotli -> bytes as meant (counted, metered, hashed) -> one buffer
 *
 * Every limit holds while the bytes arrive, so a bomb costs no more than the limit. A body that only ends with its connection is
 * refused before it is read: nobody can tell it from one that was cut.
 */
import { createHash } from 'node:crypto'
import type { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { createJsonMeter, type JsonLimits } from '../../core/json-text.ts'
import { errorCode } from '../../lib/errors.ts'
import { makeFault } from './control-plane-faults.ts'

export type BodyLimits = JsonLimits & {
  readonly compressedBytes: number
  readonly decompressedBytes: number
}

export type Headers = Readonly<Record<string, string | string[] | undefined>>

export type WholeBody = {
  readonly bytes: Uint8Array
  /** SHA-256 of the bytes, after decompression. */
  readonly hash: string
}

/** One header's value, or null. Values of a repeated one come joined by commas, as RFC 9110 reads them. */
export function header(headers: Headers, name: string): string | null {
  const value = headers[name]
  if (value === undefined) return null
  return (Array.isArray(value) ? value.join(', ') : value).trim()
}

const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json$/

/** Throws when the content is not JSON by its own word, or the end of the body cannot be told from a cut. */
export function checkBodyHeaders(headers: Headers, host: string, limits: BodyLimits): void {
  const [type = '', ...parameters] = (header(headers, 'content-type') ?? '').toLowerCase().split(';')
  if (!JSON_TYPE.test(type.trim()))
    throw makeFault('SOURCE_CONTENT_TYPE', `${host} answered ${mediaType(type)}, not JSON`)
  const charset = parameters
    .map(one => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(one)?.[1])
    .find(one => one !== undefined)
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')
    throw makeFault('SOURCE_CONTENT_TYPE', `${host} answered JSON in another character set than UTF-8`)
  const length = header(headers, 'content-length')
  const chunked = /(?:^|,)\s*chunked$/i.test(header(headers, 'transfer-encoding') ?? '')
  if (length === null && !chunked)
    throw makeFault(
      'SOURCE_BODY_CUT',
      `${host} sent a body with neither a length nor chunks, so its end cannot be told from a cut`,
      {
        remedy: 'Let the control plane, or the proxy before it, send Content-Length or chunks.',
      },
    )
  if (length !== null && Number(length) > limits.compressedBytes)
    throw makeFault(
      'SOURCE_TOO_LARGE',
      `${host} announced ${length} bytes, more than the ${limits.compressedBytes} that are taken`,
    )
}

const mediaType = (type: string): string => (/^[a-z0-9!#$&^_.+/-]{1,60}$/.test(type.trim()) ? type.trim() : 'something')

function decoderFor(headers: Headers, host: string): Transform | null {
  const encoding = (header(headers, 'content-encoding') ?? 'identity').toLowerCase()
  switch (encoding) {
    case 'identity':
    case '':
      return null
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      throw makeFault('SOURCE_ENCODING', `${host} answered in an encoding that is not taken here`)
  }
}

type ReadOptions = {
  readonly headers: Headers
  readonly body: Readable
  readonly host: string
  readonly limits: BodyLimits
  readonly signal: AbortSignal
  /** Called with every piece that arrives. */
  readonly onProgress: () => void
}

/**
 * Reads to the end. Throws a SourceError for a limit, a cut or a bad encoding; what the stream or the signal fails with is thrown on.
 * The body is destroyed in every case but success.
 */
export async function readBody({ headers, body, host, limits, signal, onProgress }: ReadOptions): Promise<WholeBody> {
  const decoder = decoderFor(headers, host)
  const announced = header(headers, 'content-length')
  const hash = createHash('sha256')
  const meter = createJsonMeter(limits)
  const parts: Uint8Array[] = []
  let sent = 0
  let meant = 0

  async function* countSent(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      onProgress()
      sent += chunk.length
      if (sent > limits.compressedBytes)
        throw makeFault('SOURCE_TOO_LARGE', `${host} sent more than the ${limits.compressedBytes} bytes that are taken`)
      yield chunk
    }
  }

  async function collect(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of source) {
      meant += chunk.length
      if (meant > limits.decompressedBytes)
        throw makeFault(
          'SOURCE_TOO_LARGE',
          `the document of ${host} unpacks to more than ${limits.decompressedBytes} bytes`,
        )
      const passed = meter.feed(chunk)
      if (passed !== null) throw makeFault('SOURCE_TOO_LARGE', passed)
      hash.update(chunk)
      parts.push(chunk)
    }
  }

  try {
    if (decoder === null) await pipeline(body, countSent, collect, { signal })
    else await pipeline(body, countSent, decoder, collect, { signal })
  } catch (error) {
    const code = errorCode(error) ?? ''
    if (code === 'Z_BUF_ERROR' || code === 'ERR_BROTLI_DECODER_ERROR_UNREACHABLE')
      throw makeFault('SOURCE_BODY_CUT', `${host} ended before the end of its compressed document`, { cause: error })
    if (code.startsWith('Z_') || code.includes('BROTLI') || code === 'ERR_TRAILING_JUNK_AFTER_STREAM_END')
      throw makeFault('SOURCE_ENCODING', `${host} sent a body that does not unpack (${code})`, { cause: error })
    throw error
  }
  if (announced !== null && Number(announced) !== sent)
    throw makeFault('SOURCE_BODY_CUT', `${host} announced ${announced} bytes and sent ${sent}`)
  if (decoder !== null && 'bytesWritten' in decoder && decoder.bytesWritten !== sent)
    throw makeFault('SOURCE_ENCODING', `${host} sent something after its compressed document`)
  return { bytes: Buffer.concat(parts), hash: hash.digest('hex') }
}
