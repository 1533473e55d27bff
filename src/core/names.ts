/**
 * Names of routers, services and middlewares. No text of a user reaches one unchecked: in Traefik `a@file` looks for another provider's
 * object and `api@internal` publishes its API.
 *
 *   tcp_ID              an id of [A-Za-z0-9_-]{1,63}
 *   tcp_SLUG.HASH       any other id: its plain signs, and 16 digits of the SHA-256 over the id as it is
 *   NAME.10007          one port of a block           NAME.tls, NAME.redirect, NAME.s0, NAME.allow ...   what else a route needs
 *   tombstone_tcp-PORT  a pool port without a route   fairlead-...                                       what belongs to no route
 *
 * No plain id holds a dot, 16 hexadecimal digits are longer than any port, and no part is 16 digits long: so no two of them meet.
 */
import { sha256 } from './hash.ts'
import type { Protocol } from './problem.ts'

const PLAIN_ID = /^[A-Za-z0-9_-]{1,63}$/

/** The name that a route's router and service carry. */
export function routeName(protocol: Protocol, id: string): string {
  if (PLAIN_ID.test(id)) return `${protocol}_${id}`
  const slug = id.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 40)
  return `${protocol}_${slug}.${sha256(id).slice(0, 16)}`
}

export const tombstoneName = (protocol: 'tcp' | 'udp', port: number): string => `tombstone_${protocol}-${port}`
export const TOMBSTONE_SERVICE = 'tombstone'
export const REDIRECT_MIDDLEWARE = 'fairlead-redirect'
export const CHALLENGE_NAME = 'fairlead-acme-challenge'
export const transportName = (proxyProtocol: 1 | 2 | null): string =>
  proxyProtocol === null ? 'fairlead' : `fairlead-proxy-protocol-${proxyProtocol}`
