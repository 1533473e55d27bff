/** What `fairlead expose` is asked for, from its arguments. Pure, but for the time. */
import { offeredName, presetOfPort } from '../../api/offer.ts'
import type { Port, PresetId } from '../../api/port.ts'
import { PRESET_IDS } from '../../api/port.ts'
import type { Preset } from '../../api/service.ts'
import { PROTOCOLS, type Protocol } from '../../core/problem.ts'
import { parseAddress } from '../../core/upstream.ts'
import { readDuration } from '../../lib/setting-types.ts'
import { CliError } from '../io.ts'

export type ExposeArgs = {
  readonly address: string
  readonly protocol: string | null
  readonly sni: string | null
  readonly domain: string | null
  readonly port: string | null
  readonly name: string | null
  readonly preset: string | null
  readonly expires: string | null
  readonly allow: string | null
}

export type ExposeWish = {
  /** Null: made up from the rest. */
  readonly name: string | null
  readonly preset: PresetId | null
  readonly endpoint: string
  readonly port: number
  readonly protocol: Protocol
  readonly sni: string | null
  readonly domain: string | null
  /** The wanted number, or a shared one. */
  readonly wanted: number | null
  readonly expiresAt: string | null
  readonly allowCidrs: readonly string[]
}

const duration = readDuration({ minMs: 1_000, maxMs: 3_660 * 86_400_000 })

function oneOf<T extends string>(option: string, text: string, words: readonly T[]): T {
  const found = words.find(word => word === text)
  if (found === undefined)
    throw new CliError(2, [`--${option}: ${JSON.stringify(text)} is not one of ${words.join(', ')}`])
  return found
}

function portNumber(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535)
    throw new CliError(2, [`--port: ${JSON.stringify(text)} is not a port from 1 to 65535`])
  return port
}

function expiry(text: string, nowMs: number): string {
  const read = duration(text)
  if (read.ok) return new Date(nowMs + read.value).toISOString()
  throw new CliError(
    2,
    read.faults.map(fault => `--expires: ${fault}`),
  )
}

/** `10.200.1.5:5432`; without a port where the preset has a usual one. */
function upstream(text: string, preset: Preset | null): { readonly host: string; readonly port: number } {
  const parsed = parseAddress(text, preset?.port ?? undefined)
  if (parsed.ok) return parsed.address
  const way =
    preset === null
      ? 'write it as 10.200.1.5:5432, or name a --preset that has a usual port'
      : 'write it as 10.200.1.5:5432'
  throw new CliError(2, [`${JSON.stringify(text)} is not the address of a service: ${parsed.message}; ${way}`])
}

/** Throws a CliError that says all of what is wrong with one argument. */
export function readWish(args: ExposeArgs, presets: readonly Preset[], nowMs: number): ExposeWish {
  const id = args.preset === null ? null : oneOf('preset', args.preset, PRESET_IDS)
  const named = presets.find(preset => preset.id === id) ?? null
  const protocol =
    args.protocol === null
      ? (named?.protocol ?? (args.domain === null ? 'tcp' : 'http'))
      : oneOf('protocol', args.protocol, PROTOCOLS)
  const { host, port } = upstream(args.address, named)
  const preset = named ?? presetOfPort(presets, protocol, port)
  if (protocol === 'http' && args.domain === null)
    throw new CliError(2, ['--domain is missing: HTTP needs a host name'])
  if (protocol === 'http' && args.port !== null)
    throw new CliError(2, ['--port is for TCP and UDP; HTTP is on 80 and 443'])
  if (protocol !== 'http' && args.domain !== null)
    throw new CliError(2, ['--domain is for HTTP; the host name of a TLS service over TCP is --sni'])
  if (protocol !== 'tcp' && args.sni !== null) throw new CliError(2, ['--sni is for TCP alone'])
  return {
    name: args.name,
    preset: preset?.id ?? null,
    endpoint: host,
    port,
    protocol,
    sni: args.sni,
    domain: args.domain,
    wanted: args.port === null ? null : portNumber(args.port),
    expiresAt: args.expires === null ? null : expiry(args.expires, nowMs),
    allowCidrs: (args.allow ?? '')
      .split(',')
      .map(part => part.trim())
      .filter(part => part !== ''),
  }
}

/** The one that was asked for, else one that is made up. */
export const nameOf = (wish: ExposeWish): string => wish.name ?? offeredName(wish)

/** The body of the port. `isShared`: the wanted number is a shared one. */
export function portInput(wish: ExposeWish, isShared: boolean): Readonly<Record<string, unknown>> {
  const { port, protocol, sni, domain, wanted, expiresAt, allowCidrs } = wish
  return {
    port,
    protocol,
    isPublic: true,
    ...(domain === null ? {} : { domain }),
    ...(sni === null ? {} : { sniHostname: sni }),
    ...(wanted === null ? {} : isShared ? { shared: wanted } : { externalPort: wanted }),
    ...(expiresAt === null ? {} : { expiresAt }),
    ...(allowCidrs.length === 0 ? {} : { allowCidrs }),
  }
}

/** The commands for it, the first one first; those that need what is not there come with a note. */
export const commandLines = (port: Pick<Port, 'connect'>): readonly string[] =>
  port.connect.map(({ command, note }) => (note === null ? command : `${command}    # ${note}`))
