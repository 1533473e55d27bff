/**
 * Where a route sends its traffic: addresses, and which of them a node may use.
 *
 * Traefik checks nothing of a server address: `127.0.0.1` without a port, `:0` or `host:abc` give an enabled router, a service that is
 * "UP", and connections that just close. And an address on the proxy itself is a way into the proxy. So both are settled here.
 */
import { isIPv4, isIPv6 } from 'node:net'

/** `host` is canonical: dotted decimal, RFC 5952 without brackets, or a lower-case name. */
export type Address = { readonly host: string; readonly port: number; readonly family: 4 | 6 | 'name' }

export type AddressResult =
  | { readonly ok: true; readonly address: Address }
  | { readonly ok: false; readonly message: string; readonly remedy: string }

const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const FORM = 'Write it as 10.200.1.5:5432 or [fd00::5]:5432.'

const refuse = (message: string, remedy: string = FORM) => ({ ok: false, message, remedy }) as const

export const formatAddress = (address: Pick<Address, 'host' | 'port' | 'family'>): string =>
  address.family === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`

/** An IPv6 text in the form of RFC 5952, or null. No zone. */
export function canonicalIPv6(text: string): string | null {
  if (!isIPv6(text) || text.includes('%')) return null
  return new URL(`http://[${text}]/`).hostname.slice(1, -1)
}

/** `host:port`, strictly; `defaultPort` fills a missing port (HTTP). Host names are parsed here and judged by the policy. */
export function parseAddress(text: string, defaultPort?: number): AddressResult {
  if (text.length > 300) return refuse(`an upstream of ${text.length} signs is too long`)
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return refuse('an upstream of TCP and UDP has no scheme')
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text)
  if (parts === null) {
    return isIPv6(text)
      ? refuse('an IPv6 address needs brackets and a port', `Write it as [${text}]:5432.`)
      : refuse('the upstream is not host:port')
  }
  const [, bracketed, bare, portText] = parts
  let port = defaultPort
  if (portText !== undefined) {
    if (!/^[1-9]\d{0,4}$/.test(portText) || Number(portText) > 65535)
      return refuse('the port of the upstream is not 1 to 65535')
    port = Number(portText)
  }
  if (port === undefined) return refuse('the upstream has no port')
  if (bracketed !== undefined) {
    const host = canonicalIPv6(bracketed)
    if (host === null) return refuse('the address in brackets is not IPv6')
    if (/^::(?:ffff:|(?=[0-9a-f]+:[0-9a-f]+$))/.test(host)) {
      return refuse('an IPv4 address is written as IPv6', 'Write it as IPv4: 10.200.1.5:5432.')
    }
    return { ok: true, address: { host, port, family: 6 } }
  }
  const host = (bare ?? '').toLowerCase()
  if (host === '') return refuse('the upstream has no host: it would be the proxy itself')
  if (isIPv4(host)) return { ok: true, address: { host, port, family: 4 } }
  // 127.1, 0x7f000001 and 2130706433 are IPv4 addresses to some resolvers: whatever ends in a number is an address or a mistake.
  if (/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(host)) return refuse('the address is not in the four-number form', FORM)
  if (!NAME.test(host)) return refuse('the host of the upstream is neither an address nor a name')
  return { ok: true, address: { host, port, family: 'name' } }
}

export type HttpUpstreamUrl = { readonly scheme: 'http' | 'https' | 'h2c'; readonly address: Address }

/** An HTTP upstream, with or without a scheme: `http://10.200.1.5:3000`, `10.200.1.5:3000`. No path, query or user. */
export function parseHttpUpstream(
  text: string,
): { readonly ok: true; readonly url: HttpUpstreamUrl } | Extract<AddressResult, { ok: false }> {
  const form = 'Write it as http://10.200.1.5:3000.'
  const parts = /^(?:([a-z][a-z0-9+.-]*):\/\/)?([^/?#]*)(\/?)(.*)$/i.exec(text)
  if (parts === null || text.length > 300) return refuse('the upstream is not a URL', form)
  const scheme = (parts[1] ?? 'http').toLowerCase()
  if (scheme !== 'http' && scheme !== 'https' && scheme !== 'h2c')
    return refuse(`the scheme ${scheme} is not http, https or h2c`, form)
  const authority = parts[2] ?? ''
  if (authority.includes('@')) return refuse('the upstream carries a user name', form)
  if (parts[4] !== '')
    return refuse('the upstream carries a path', 'Leave the path out: requests keep the path that they came with.')
  const parsed = parseAddress(authority, scheme === 'https' ? 443 : 80)
  return parsed.ok ? { ok: true, url: { scheme, address: parsed.address } } : parsed
}

export const formatHttpUpstream = (url: HttpUpstreamUrl): string => `${url.scheme}://${formatAddress(url.address)}`

// ---------------------------------------------------------------------------------------------------------------- networks

/** Addresses `base`/`prefix` of one family, for one port when `port` is set. */
export type Network = {
  readonly family: 4 | 6
  readonly base: bigint
  readonly prefix: number
  readonly port: number | null
  readonly text: string
}

const bits = (family: 4 | 6): number => (family === 4 ? 32 : 128)

function ipNumber(host: string, family: 4 | 6): bigint {
  if (family === 4) return host.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  const [head = '', tail] = host.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const middle = new Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...middle, ...right].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n)
}

/** `10.0.0.0/8`, `10.1.2.3`, `10.1.2.3:5432`, `fd00::/8`, `[::1]:5432`; null when it is none of them. */
export function parseNetwork(text: string): Network | null {
  let rest = text.trim()
  let port: number | null = null
  const withPort = /^(\[[^\]]+\](?:\/\d+)?|[^:]+):(\d{1,5})$/.exec(rest)
  if (withPort !== null) {
    port = Number(withPort[2])
    if (port < 1 || port > 65535) return null
    rest = withPort[1] ?? ''
  }
  const parts = /^\[?([^\]/]+)\]?(?:\/(\d{1,3}))?$/.exec(rest)
  const host = parts?.[1]
  if (host === undefined) return null
  const family = isIPv4(host) ? 4 : isIPv6(host) ? 6 : null
  if (family === null) return null
  const canonical = family === 4 ? host : canonicalIPv6(host)
  if (canonical === null) return null
  const prefix = parts?.[2] === undefined ? bits(family) : Number(parts[2])
  if (prefix > bits(family)) return null
  const shift = BigInt(bits(family) - prefix)
  return { family, base: (ipNumber(canonical, family) >> shift) << shift, prefix, port, text }
}

/** The network as `address/prefix`, host bits cleared: the form that Traefik's sourceRange takes. */
export function formatNetwork(network: Network): string {
  const host =
    network.family === 4
      ? [24n, 16n, 8n, 0n].map(shift => (network.base >> shift) & 255n).join('.')
      : canonicalIPv6(
          Array.from({ length: 8 }, (_, i) => ((network.base >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(
            ':',
          ),
        )
  return `${host}/${network.prefix}`
}

const numbers = new WeakMap<Address, bigint>()

/** Kept, since each address is held against every denied network: a fifth of the time to compile two hundred routes (measured). */
function numberOf(address: Address, family: 4 | 6): bigint {
  const known = numbers.get(address)
  if (known !== undefined) return known
  const number = ipNumber(address.host, family)
  numbers.set(address, number)
  return number
}

export function contains(network: Network, address: Address): boolean {
  if (address.family !== network.family) return false
  if (network.port !== null && network.port !== address.port) return false
  const shift = BigInt(bits(network.family) - network.prefix)
  return numberOf(address, network.family) >> shift === network.base >> shift
}

// ------------------------------------------------------------------------------------------------------------------ policy

export type UpstreamPolicy = {
  /** Lifts the built-in deny list, nothing else. */
  readonly allow: readonly Network[]
  readonly deny: readonly Network[]
  /** Empty: any. */
  readonly only: readonly Network[]
  readonly hostNames: boolean
  /** Addresses of the node itself, without loopback, which always counts. */
  readonly ownAddresses: readonly string[]
  /** Ports on which this node itself answers, by protocol, each with what it is: entry points, provider, admin, Traefik's API. Nothing lifts these. */
  readonly ownPorts: { readonly tcp: ReadonlyMap<number, string>; readonly udp: ReadonlyMap<number, string> }
}

const builtIn = (text: string, what: string): { readonly network: Network; readonly what: string } => {
  const network = parseNetwork(text)
  if (network === null) throw new Error(`not a network: ${text}`)
  return { network, what }
}

// RFC 6890 and the addresses at which the large clouds answer with credentials.
const DENIED = [
  builtIn('127.0.0.0/8', "the proxy's own loopback"),
  builtIn('::1/128', "the proxy's own loopback"),
  builtIn('0.0.0.0/8', 'unspecified'),
  builtIn('::/128', 'unspecified'),
  builtIn('169.254.169.254/32', "the cloud's metadata address"),
  builtIn('169.254.170.2/32', "the cloud's metadata address"),
  builtIn('100.100.100.200/32', "the cloud's metadata address"),
  builtIn('168.63.129.16/32', "the cloud's metadata address"),
  builtIn('192.0.0.192/32', "the cloud's metadata address"),
  builtIn('fd00:ec2::254/128', "the cloud's metadata address"),
  builtIn('fd20:ce::254/128', "the cloud's metadata address"),
  builtIn('169.254.0.0/16', 'link-local'),
  builtIn('fe80::/10', 'link-local'),
  builtIn('224.0.0.0/4', 'multicast'),
  builtIn('ff00::/8', 'multicast'),
  builtIn('255.255.255.255/32', 'broadcast'),
  builtIn('240.0.0.0/4', 'reserved'),
  builtIn('::ffff:0:0/96', 'an IPv4 address in disguise'),
  builtIn('64:ff9b::/96', 'an IPv4 address in disguise'),
  builtIn('2002::/16', 'an IPv4 address in disguise'),
] as const

const LOCAL_NAMES = /(?:^|\.)(?:localhost|localdomain|metadata|metadata\.google\.internal|ip6-localhost|ip6-loopback)$/

/** Why this node does not send traffic of `protocol` there, or null. */
export function upstreamFault(
  address: Address,
  protocol: 'tcp' | 'udp',
  policy: UpstreamPolicy,
): { readonly message: string; readonly remedy: string } | null {
  const text = formatAddress(address)
  if (address.family === 'name') {
    if (!policy.hostNames)
      return {
        message: `upstream ${text} is a name`,
        remedy: 'Give its address, or set policy.hostNames: true on the node.',
      }
    if (LOCAL_NAMES.test(address.host))
      return { message: `upstream ${text} is the proxy itself`, remedy: 'Give an address that the node can reach.' }
    if (policy.only.length > 0) {
      return {
        message: `upstream ${text} is a name, and policy.onlyUpstreams confines addresses`,
        remedy: 'Give an address within policy.onlyUpstreams.',
      }
    }
    return null
  }
  const loopback = DENIED[0].network
  const own =
    contains(loopback, address) ||
    address.host === '::1' ||
    contains(DENIED[2].network, address) ||
    address.host === '::' ||
    policy.ownAddresses.includes(address.host)
  const ownPort = own ? policy.ownPorts[protocol].get(address.port) : undefined
  if (ownPort !== undefined) {
    return {
      message: `upstream ${text} is this node's own port ${address.port} (${ownPort})`,
      remedy: 'Give the address of the server itself; nothing lifts this rule.',
    }
  }
  const denied = policy.deny.find(network => contains(network, address))
  if (denied !== undefined)
    return {
      message: `upstream ${text} is within ${denied.text}, which policy.denyUpstreams forbids`,
      remedy: 'Give another address, or change the policy of the node.',
    }
  const builtInDenied = DENIED.find(({ network }) => contains(network, address))
  if (builtInDenied !== undefined && !policy.allow.some(network => contains(network, address))) {
    return {
      message: `upstream ${text} is ${builtInDenied.what}`,
      remedy: `Give an address that the node can reach, or allow it on the node: policy.allowUpstreams: ["${text}"].`,
    }
  }
  if (policy.only.length > 0 && !policy.only.some(network => contains(network, address))) {
    return {
      message: `upstream ${text} is outside policy.onlyUpstreams`,
      remedy: `Give an address within ${policy.only.map(network => network.text).join(', ')}.`,
    }
  }
  return null
}
