/**
 * The cookie of a session: for no script (HttpOnly), for no other site (SameSite=Strict) and, over TLS, for exactly this host and no
 * unencrypted connection (`__Host-`, RFC 6265bis).
 */
import type { FastifyRequest } from 'fastify'
import { headerValues } from '../http/headers.ts'
import { SESSION_HOURS } from './sessions.ts'

const SECURE_NAME = '__Host-fairlead'
const PLAIN_NAME = 'fairlead'

const VALUE = /^[A-Za-z0-9_-]{43}$/

/** Whether the browser came over TLS, to us or to the proxy in front of us. */
export function isSecure(request: FastifyRequest, publicUrl: string | null): boolean {
  if (request.protocol === 'https') return true
  // A proxy on this machine that tells us nothing: it comes under the name that is served over TLS.
  return publicUrl?.startsWith('https:') === true && request.host.toLowerCase() === new URL(publicUrl).host
}

/** What the browser sent as our cookie; null when there is none, or when there are two, of which one is somebody else's. */
export function readCookie(request: FastifyRequest, publicUrl: string | null): string | null {
  const name = isSecure(request, publicUrl) ? SECURE_NAME : PLAIN_NAME
  const values = headerValues(request.raw, 'cookie')
    .flatMap(header => header.split(';'))
    .map(pair => pair.trim())
    .filter(pair => pair.startsWith(`${name}=`))
    .map(pair => pair.slice(name.length + 1))
  const [value] = values
  return value !== undefined && values.length === 1 && VALUE.test(value) ? value : null
}

/** For `Set-Cookie`; null takes it away. */
export function writeCookie(request: FastifyRequest, publicUrl: string | null, value: string | null): string {
  const secure = isSecure(request, publicUrl)
  const maxAge = value === null ? 0 : SESSION_HOURS * 3600
  return `${secure ? SECURE_NAME : PLAIN_NAME}=${value ?? ''}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
}
