/**
 * What the running Traefik takes, by its version.
 *
 * One field that it does not know loses the whole body, so we emit only what it takes. The table was measured on the real binaries, and
 * test/traefik/capabilities.test.ts measures it again; a field that is not in it has been taken by every version since OLDEST_SUPPORTED.
 */

export type TraefikVersion = {
  readonly major: number
  readonly minor: number
  readonly patch: number
  /** `3.7.0-rc.2`: older than 3.7.0, since what 3.7.0 brought may have come after it. */
  readonly preRelease: boolean
}

/** Older ones are not supported: `doctor` says so, and `up` does not start them. */
export const OLDEST_SUPPORTED = '3.3.0'

/** The newest that was measured. A newer one is taken to be able to do the same. */
export const NEWEST_SUPPORTED = '3.7.15'

export type Capabilities = {
  /** A rule HostSNI(`*.example.com`). Before, the router is disabled, and a HostSNIRegexp does the same. */
  readonly hostSniWildcard: boolean
  /**
   * `healthCheck` on a TCP load balancer, and `healthCheck: {}` on a weighted TCP service above it. Before, the body is refused.
   * The one on the weighted service is needed, else a dead child still gets its share; and it needs one on each child: where a child
   * has none the router is disabled, and every connection hangs.
   */
  readonly tcpHealthCheck: boolean
  /**
   * `proxyProtocol` on a TCP servers transport. Before, the body is refused, and it goes on the load balancer. There it must stand
   * without a `serversTransport` to be right for every version: those that have this field silently ignore the other one beside it.
   */
  readonly serversTransportProxyProtocol: boolean
}

const SINCE: Readonly<Record<keyof Capabilities, TraefikVersion>> = {
  // 3.6.0 and 3.6.15 disable such a router, 3.7.0 takes it.
  hostSniWildcard: { major: 3, minor: 7, patch: 0, preRelease: false },
  // 3.5.3 refuses the field, 3.6.0 takes it.
  tcpHealthCheck: { major: 3, minor: 6, patch: 0, preRelease: false },
  // 3.5.1 refuses the field, 3.5.3 takes it. 3.5.2 was not to be had; by traefik/traefik issue 12100 it knows the field, but is broken.
  serversTransportProxyProtocol: { major: 3, minor: 5, patch: 3, preRelease: false },
}

/** `3.7.15`, `v3.7.15` or `3.7.0-rc.2` as numbers; null for anything else (`dev`, a commit, an empty text). */
export function parseVersion(text: string): TraefikVersion | null {
  const parts = /^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?$/.exec(text.trim())
  if (parts === null) return null
  return {
    major: Number(parts[1]),
    minor: Number(parts[2]),
    patch: Number(parts[3]),
    preRelease: parts[4] !== undefined,
  }
}

/** Negative when `a` is the older one, 0 when they are equal; two pre-releases of one version count as equal. */
export function compareVersions(a: TraefikVersion, b: TraefikVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch || Number(b.preRelease) - Number(a.preRelease)
}

/** What this version takes, as `/api/version` writes it. One that is unknown or cannot be read takes what the oldest supported one does. */
export function capabilitiesOf(version: string | null): Capabilities {
  const running = version === null ? null : parseVersion(version)
  const has = (name: keyof Capabilities) => running !== null && compareVersions(running, SINCE[name]) >= 0
  return {
    hostSniWildcard: has('hostSniWildcard'),
    tcpHealthCheck: has('tcpHealthCheck'),
    serversTransportProxyProtocol: has('serversTransportProxyProtocol'),
  }
}
