/**
 * Host names as routes carry them, and the rules that Traefik gets for them.
 *
 * Traefik's rule language is a Go expression: `HostSNI(`a`) || HostSNI(`*`)` is one rule, and no escape exists inside backticks.
 * So a name is checked letter by letter (RFC 952, RFC 1123: letters, digits, hyphens), and a rule is built from such a name alone.
 */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

export type HostNameResult =
  | { readonly ok: true; readonly host: string }
  | { readonly ok: false; readonly message: string; readonly remedy: string }

const MAX_INPUT_LENGTH = 1024
const MAX_NAME_LENGTH = 253
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

const refuse = (message: string, remedy: string): HostNameResult => ({ ok: false, message, remedy })

/**
 * A host name in the one form that we keep: lower case, no trailing dot, punycode for other scripts (RFC 5891 by `domainToASCII`).
 * One leading `*.` stands for exactly one label. IP addresses are refused: a client never sends one as SNI (RFC 6066, section 3).
 */
export function parseHostName(text: string): HostNameResult {
  if (text.length > MAX_INPUT_LENGTH)
    return refuse(`a host name of ${text.length} signs is too long`, `Give at most ${MAX_NAME_LENGTH} signs.`)
  let name = text.endsWith('.') ? text.slice(0, -1) : text
  const wildcard = name.startsWith('*.')
  if (wildcard) name = name.slice(2)
  if (name === '') return refuse('the host name is empty', 'Give a host name such as db.example.com.')
  if (isIP(name) !== 0 || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) {
    return refuse('an IP address is not a host name', 'Give a host name: clients send no IP address as SNI.')
  }
  if (/:\d+$/.test(name))
    return refuse('the host name carries a port', 'Leave the port out; it belongs into externalPort.')
  if (name.includes('*'))
    return refuse('the wildcard is not in front', 'Put one "*." in front of the name, or give the name in full.')
  // Only other scripts take the way through IDNA: it would also read 0x7f.1 as an address and unescape %41.
  if (/[^\u0020-\u007e]/.test(name)) {
    const ascii = /[%\s]/.test(name) ? '' : domainToASCII(name)
    if (ascii === '') return refuse('the host name cannot be written as punycode', 'Give the name as its xn-- form.')
    name = ascii
  }
  name = name.toLowerCase()
  const host = wildcard ? `*.${name}` : name
  if (host.length > MAX_NAME_LENGTH)
    return refuse(`the host name has ${host.length} signs`, `Give at most ${MAX_NAME_LENGTH} signs.`)
  const labels = name.split('.')
  for (const label of labels) {
    if (!LABEL.test(label)) {
      return refuse(
        label === '' ? 'the host name has an empty label' : `"${label.slice(0, 70)}" is not a label of a host name`,
        'Give 1 to 63 letters, digits and hyphens between the dots, no hyphen at an end.',
      )
    }
  }
  // A last label of digits alone would be read as an IPv4 address by browsers (WHATWG URL, "ends in a number").
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    return refuse('a host name does not end in a number', 'Give a host name: clients send no IP address as SNI.')
  }
  return { ok: true, host }
}

export const isWildcard = (host: string): boolean => host.startsWith('*.')

/** `*.example.com` as a pattern (RE2) for exactly one label; the name is already checked, so only its dots need care. */
export const wildcardPattern = (host: string): string => `^[^.]+${host.slice(1).replaceAll('.', '\\.')}$`

export const HOST_SNI_ANY = 'HostSNI(`*`)'

/**
 * The TCP rule for a checked host name, or for none.
 * Before 3.7 Traefik disables a router with a wildcard in HostSNI, so older ones get a pattern (pkg/muxer/tcp/matcher.go).
 */
export function hostSniRule(host: string | null, hasWildcard: boolean): string {
  if (host === null) return HOST_SNI_ANY
  return isWildcard(host) && !hasWildcard ? `HostSNIRegexp(\`${wildcardPattern(host)}\`)` : `HostSNI(\`${host}\`)`
}

/** The HTTP rule for a checked domain. */
export const hostRule = (domain: string): string =>
  isWildcard(domain) ? `HostRegexp(\`${wildcardPattern(domain)}\`)` : `Host(\`${domain}\`)`
