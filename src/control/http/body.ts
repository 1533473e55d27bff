/**
 * Bodies are JSON in UTF-8, checked before they are parsed: no double keys, of which two readers take different ones, no nesting that
 * overflows whoever walks through it, no sign of code 0, which the database cannot keep.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
import { checkJson } from '../../core/json-text.ts'
import { ApiError } from './api-error.ts'
import type { App } from './route.ts'

const MAX_DEPTH = 32

/** `\u0000`, which is not what follows an escaped backslash. */
const NUL = /(?:^|[^\\])(?:\\\\)*\\u0000/

/** Throws an ApiError for what is no JSON that we take. */
export function parseBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new ApiError('BODY_MALFORMED', 'the body is not UTF-8')
  const text = bytes.toString('utf8')
  const fault = checkJson(text, MAX_DEPTH)
  if (fault !== null)
    throw new ApiError('BODY_MALFORMED', `at offset ${fault.offset}: ${fault.message}`, { remedy: fault.remedy })
  if (NUL.test(text))
    throw new ApiError('BODY_MALFORMED', 'the body holds a sign of code 0', { remedy: 'Leave it out.' })
  return JSON.parse(text)
}

/** Takes `application/json` and nothing else. An empty body is none, whatever its type is said to be. */
export function addBodyParser(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      if (request.routeOptions.config.access === 'node') request.rawBody = bytes
      return bytes.length === 0 ? undefined : parseBody(bytes)
    },
  )
}
