/** Where clients reach a route, in the words of the wire. */
import type { Route } from './route.ts'

export type RoutePlace = {
  /** TCP and UDP. */
  readonly externalPort: number | null
  /** The last one of a block; equal to `externalPort` for a single port. */
  readonly externalPortEnd: number | null
  readonly sniHostname: string | null
  /** HTTP. */
  readonly domain: string | null
  readonly pathPrefix: string | null
}

export const NO_PLACE: RoutePlace = {
  externalPort: null,
  externalPortEnd: null,
  sniHostname: null,
  domain: null,
  pathPrefix: null,
}

export function placeOf(route: Route): RoutePlace {
  switch (route.protocol) {
    case 'http':
      return { ...NO_PLACE, domain: route.domain, pathPrefix: route.pathPrefix }
    case 'tcp':
    case 'udp':
      return {
        ...NO_PLACE,
        externalPort: route.externalPort,
        externalPortEnd: route.externalPortEnd,
        sniHostname: route.protocol === 'tcp' ? route.sniHostname : null,
      }
    default:
      return route satisfies never
  }
}
