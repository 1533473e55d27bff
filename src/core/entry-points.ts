/**
 * Which entry points a port stands for.
 *
 * Traefik opens ports at its start only, so a pool is declared in advance. What it has is read from its API and matched by protocol and
 * number, so a hand-made `pg: ":5432"` works; the name `tcp-10001` is what we generate, and what counts while nobody can be asked.
 */
import type { ForeignRouter, ObservedEntryPoint, ObservedTraefik } from './observed.ts'

const GENERATED: Readonly<Record<string, string>> = { 'tcp-80': 'web', 'tcp-443': 'websecure', 'tcp-8080': 'traefik' }

/** The name in our generated static configuration. A number that `web`, `websecure` or `traefik` has makes no second entry point. */
export const entryPointName = (protocol: 'tcp' | 'udp', port: number): string => {
  const name = `${protocol}-${port}`
  return GENERATED[name] ?? name
}

/** `:10000`, `:11000/udp`, `127.0.0.1:5432/tcp`, `[::1]:53/udp` as Traefik's static configuration has them; null for anything else. */
export function parseEntryPointAddress(
  address: string,
): { readonly port: number; readonly protocol: 'tcp' | 'udp' } | null {
  const parts = /^.*:(\d{1,5})(?:\/(tcp|udp))?$/i.exec(address)
  const port = Number(parts?.[1])
  if (parts === null || port < 1 || port > 65535) return null
  return { port, protocol: parts[2]?.toLowerCase() === 'udp' ? 'udp' : 'tcp' }
}

export type EntryPointMatch =
  | { readonly kind: 'found'; readonly names: readonly string[] }
  | { readonly kind: 'missing' }
  /** The number is open, but for the other protocol. */
  | { readonly kind: 'wrong-protocol'; readonly name: string }

/** Traefik joins the texts of a list by U+2551 on its way, and YAML has no place for a control sign: one of them would lose the whole body. */
const isUsable = (name: string): boolean => name !== '' && !/[\p{C}\u2028\u2029\u2551]/u.test(name)

/** Every entry point of that protocol and number: two of them when the number is bound on two addresses. */
export function entryPointsFor(
  protocol: 'tcp' | 'udp',
  port: number,
  observed: readonly ObservedEntryPoint[] | null,
): EntryPointMatch {
  if (observed === null) return { kind: 'found', names: [entryPointName(protocol, port)] }
  const same = observed.filter(entryPoint => entryPoint.port === port)
  const names = same
    .filter(entryPoint => entryPoint.protocol === protocol && isUsable(entryPoint.name))
    .map(({ name }) => name)
  if (names.length > 0) return { kind: 'found', names: names.sort() }
  const other = same.find(entryPoint => entryPoint.protocol !== protocol)
  return other === undefined ? { kind: 'missing' } : { kind: 'wrong-protocol', name: other.name }
}

/** The lines that the static configuration lacks. */
export const entryPointLines = (protocol: 'tcp' | 'udp', port: number): string =>
  `entryPoints:\n  ${protocol}-${port}:\n    address: ":${port}${protocol === 'udp' ? '/udp' : ''}"`

export type ForeignByEntryPoint = ReadonlyMap<string, readonly ForeignRouter[]>

/** Routers of other providers, by the entry points that they stand on. */
export function foreignByEntryPoint(observed: ObservedTraefik | null): ForeignByEntryPoint {
  const map = new Map<string, ForeignRouter[]>()
  for (const router of observed?.foreignRouters ?? []) {
    for (const name of router.entryPoints) map.set(name, [...(map.get(name) ?? []), router])
  }
  return map
}

const simpleArguments = (rule: string, matcher: string): readonly string[] => {
  const found = new RegExp(`\\b${matcher}\\(([^)]*)\\)`, 'g')
  return [...rule.matchAll(found)].flatMap(match =>
    [...(match[1] ?? '').matchAll(/[`"]([^`"]*)[`"]/g)].map(argument => argument[1] ?? ''),
  )
}

/** What was read from a router's rule is kept: every route of ours asks every foreign router on its entry points. */
function kept(read: (router: ForeignRouter) => readonly string[]): (router: ForeignRouter) => readonly string[] {
  const known = new WeakMap<ForeignRouter, readonly string[]>()
  return router => {
    const texts = known.get(router) ?? read(router)
    known.set(router, texts)
    return texts
  }
}

/** Host names that a foreign rule names in HostSNI(...) or Host(...), as far as they can be read; `*` for a catch-all. */
export const ruleHosts = kept(router =>
  router.rule === null
    ? ['*']
    : simpleArguments(router.rule, router.protocol === 'http' ? 'Host' : 'HostSNI').map(host => host.toLowerCase()),
)

/** Paths that a foreign HTTP rule names in Path(...) or PathPrefix(...); `/` when it names none. */
export const rulePaths = kept(router => {
  const rule = router.rule ?? ''
  const paths = [...simpleArguments(rule, 'PathPrefix'), ...simpleArguments(rule, 'Path')]
  return paths.length === 0 ? ['/'] : paths
})
