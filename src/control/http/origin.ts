/**
 * From where a request comes, as far as that can be told.
 *
 * A web page elsewhere can make a browser send requests to us. It cannot make it say our name as Host, when it has pointed its own name to
 * our address (DNS rebinding), and it cannot make it leave away where the page is from. What carries a token or a signature was not sent
 * by a browser on somebody else's behalf.
 */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { ControlConfig } from '../config.ts'
import { ApiError } from './api-error.ts'
import { headerValues } from './headers.ts'

const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/

type Named = Pick<ControlConfig, 'publicUrl' | 'publicHost' | 'listen'>

/** Says whether a Host header means this control plane. An address cannot be pointed elsewhere, so any passes. */
export function makeHostCheck({ publicUrl, publicHost, listen }: Named): (host: string) => boolean {
  const names = new Set(
    ['localhost', publicHost, listen.host, ...(publicUrl === null ? [] : [new URL(publicUrl).hostname])].map(name =>
      name.toLowerCase(),
    ),
  )
  return host => {
    const [, v6, name] = HOST.exec(host) ?? []
    if (v6 !== undefined) return isIP(v6) === 6
    return name !== undefined && (isIP(name) === 4 || names.has(name.toLowerCase().replace(/\.$/, '')))
  }
}

/** Throws unless the request is for a name of ours, or was not sent by a web page. */
export function checkHost(request: FastifyRequest, isOurs: (host: string) => boolean): void {
  const hosts = headerValues(request.raw, 'host')
  const [host] = hosts
  if (host === undefined || hosts.length > 1 || !HOST.test(host))
    throw new ApiError('REQUEST_MALFORMED', 'the request does not have one Host header that names a host')
  const byProgram =
    request.headers.authorization !== undefined ||
    request.routeOptions.config.access === 'node' ||
    request.routeOptions.config.anyHost === true
  if (!byProgram && !isOurs(host))
    throw new ApiError('HOST_UNKNOWN', `${host.slice(0, 100)} is not a name of this control plane`)
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Throws when a page of another origin sent it, or may have: for requests that a cookie speaks for. */
export function checkSameOrigin(request: FastifyRequest, publicUrl: string | null, { sure }: { sure: boolean }): void {
  if (SAFE.has(request.method)) return
  const { origin, 'sec-fetch-site': site } = request.headers
  const sameSite = site === undefined ? null : site === 'same-origin' || site === 'none'
  const sameOrigin = origin === undefined ? null : isOwnOrigin(request, origin, publicUrl)
  // Each that is there has to say yes; where we must be sure, one has to be there.
  const refused = sameSite === false || sameOrigin === false || (sure && sameSite === null && sameOrigin === null)
  if (refused)
    throw new ApiError(
      'CROSS_ORIGIN',
      `a request with a cookie came from ${(origin ?? site ?? 'an unknown origin').slice(0, 100)}`,
    )
}

function isOwnOrigin(request: FastifyRequest, origin: string, publicUrl: string | null): boolean {
  if (publicUrl !== null && origin === new URL(publicUrl).origin) return true
  return origin === `${request.protocol}://${request.host}`
}
