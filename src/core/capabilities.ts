/** What the running Traefik understands, by its version: one unknown field loses the whole body, so we emit only what it takes. */

export type TraefikVersion = { readonly major: number; readonly minor: number; readonly patch: number }

/** Older ones are not supported: `doctor` says so, and `up` does not start them. */
export const OLDEST_SUPPORTED = '3.3.0'

/** The newest that the table below was measured on; a newer one is taken to be able to do the same. */
export const NEWEST_SUPPORTED = '3.7.15'

/** `3.7.15`, `v3.7.15` or `3.7.0-rc.2` as numbers; null for anything else (`dev`, a commit, an empty text). */
export function parseVersion(text: string): TraefikVersion | null {
  const parts = /^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:[-+][0-9A-Za-z.+-]{1,64})?$/.exec(text.trim())
  if (parts === null) return null
  return { major: Number(parts[1]), minor: Number(parts[2]), patch: Number(parts[3]) }
}

/** Negative when `a` is the older one, 0 when equal. Pre-releases count as their release. */
export function compareVersions(a: TraefikVersion, b: TraefikVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch
}
