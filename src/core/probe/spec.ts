/**
 * The field `probe` of a route: what is asked through the port, and what counts as an answer.
 *
 *   true                          the preset of the route: by its protocolHint, else by its TLS
 *   { type, sendHex, ... }        as it says; what it leaves out is the preset's
 *   false, null, absent           no probe
 */
import { z } from 'zod'
import { wholeNumber } from '../fields.ts'
import type { RefusalAt } from '../refusal.ts'

const PROBE_TYPES = ['connect', 'tls', 'postgres', 'udp', 'http'] as const
export type ProbeType = (typeof PROBE_TYPES)[number]

export type ProbeSpec = {
  readonly type: ProbeType
  /** Sent as soon as the connection stands; lower case. Null: nothing. */
  readonly sendHex: string | null
  /** How the answer must begin; empty: any answer will do. Null: none is waited for. */
  readonly expectHex: string | null
  readonly intervalSeconds: number
}

const MAX_SEND_BYTES = 1024
const MAX_EXPECT_BYTES = 256
const DEFAULT_INTERVAL_SECONDS = 30

const hex = (maxBytes: number) =>
  z
    .string()
    .max(maxBytes * 2, `is not a text of at most ${maxBytes * 2} hexadecimal digits`)
    .regex(/^(?:[0-9a-fA-F]{2})*$/, 'is not bytes as hexadecimal digits, two for each')
    .transform(text => text.toLowerCase())

const absent = <T extends z.ZodType>(schema: T) => schema.nullish().transform(value => value ?? null)

export const probeWire = z.object(
  {
    type: absent(z.enum(PROBE_TYPES)),
    sendHex: absent(hex(MAX_SEND_BYTES)),
    expectHex: absent(hex(MAX_EXPECT_BYTES)),
    intervalSeconds: absent(wholeNumber(5, 3600)),
  },
  { error: 'is not true, false, or an object such as {"type": "connect"}' },
)

export type ProbeWish = z.output<typeof probeWire>

const PRESET: ProbeWish = { type: null, sendHex: null, expectHex: null, intervalSeconds: null }

/** The field as it comes; null when no probe is asked for. */
export const probeField = z
  .unknown()
  .transform((raw, ctx): ProbeWish | null => {
    if (raw === undefined || raw === null || raw === false) return null
    if (raw === true) return PRESET
    const parsed = probeWire.safeParse(raw)
    if (parsed.success) return parsed.data
    for (const issue of parsed.error.issues) ctx.addIssue({ ...issue })
    return z.NEVER
  })
  .optional()
  .transform(wish => wish ?? null)

/** What decides on the preset. */
export type ProbedRoute =
  | {
      readonly protocol: 'tcp'
      readonly tls: 'none' | 'passthrough' | 'terminate'
      readonly protocolHint: string | null
    }
  | { readonly protocol: 'udp'; readonly upstreams: readonly { readonly address: { readonly port: number } }[] }
  | { readonly protocol: 'http' }

type Preset = Omit<ProbeSpec, 'intervalSeconds'>

const hexOf = (text: string): string => Buffer.from(text, 'latin1').toString('hex')
const bare = (type: ProbeType): Preset => ({ type, sendHex: null, expectHex: null })
const asking = (send: string, expect = ''): Preset => ({ type: 'connect', sendHex: send, expectHex: expect })

/**
 * A connection that stays open proves little where the client speaks first, so such a protocol gets its first words. Where the server
 * does, and at once, its greeting is waited for. (SMTP and FTP servers may keep theirs back for longer than a probe waits.)
 */
const BY_HINT: Readonly<Record<string, Preset>> = {
  postgres: bare('postgres'),
  redis: asking(hexOf('PING\r\n')),
  http: asking(hexOf('HEAD / HTTP/1.0\r\n\r\n'), hexOf('HTTP/')),
  // CONNECT, MQTT 3.1.1, clean session, as client `fairlead-probe`.
  mqtt: asking(`101a00044d51545404020000000e${hexOf('fairlead-probe')}`),
  mysql: { ...bare('connect'), expectHex: '' },
  ssh: { ...bare('connect'), expectHex: '' },
}

/** A query for the name servers of the root, with the id 0x666c, which the answer repeats. */
const DNS: Preset = { type: 'udp', sendHex: '666c010000010000000000000000020001', expectHex: '666c' }
const DNS_PORT = 53

function presetOf(route: ProbedRoute): Preset | null {
  switch (route.protocol) {
    case 'http':
      return bare('http')
    case 'udp':
      return route.upstreams.length > 0 && route.upstreams.every(({ address }) => address.port === DNS_PORT)
        ? DNS
        : null
    case 'tcp': {
      // Postgres asks for TLS in words of its own, which Traefik understands; every other protocol begins with it.
      if (route.tls !== 'none') return bare(route.protocolHint === 'postgres' ? 'postgres' : 'tls')
      return BY_HINT[route.protocolHint ?? ''] ?? bare('connect')
    }
    default:
      return route satisfies never
  }
}

const FITTING: Readonly<Record<ProbedRoute['protocol'], readonly ProbeType[]>> = {
  http: ['http'],
  tcp: ['connect', 'tls', 'postgres'],
  udp: ['udp'],
}

const fault = (field: string, value: unknown, message: string, remedy: string): RefusalAt => ({
  code: 'FIELD_INVALID',
  field,
  value,
  message,
  remedy,
})

function faultOf(route: ProbedRoute, wish: ProbeWish): RefusalAt | null {
  const { type, sendHex, expectHex } = wish
  const fitting = FITTING[route.protocol]
  if (type !== null && !fitting.includes(type))
    return fault(
      'probe.type',
      type,
      `${type} is not a probe of ${route.protocol === 'http' ? 'an' : 'a'} ${route.protocol.toUpperCase()} route`,
      `Give ${fitting.join(' or ')}, or leave type out.`,
    )
  const talks = sendHex !== null || expectHex !== null
  if (route.protocol === 'tcp' && route.tls !== 'none' && (type === 'connect' || (type === null && talks)))
    return fault(
      type === null ? 'probe' : 'probe.type',
      type ?? undefined,
      'a connect probe says nothing of a TLS route: Traefik keeps the connection until it has seen a TLS hello',
      'Give tls, or leave type, sendHex and expectHex out.',
    )
  if (talks && (type === 'tls' || type === 'postgres' || route.protocol === 'http'))
    return fault(
      sendHex === null ? 'probe.expectHex' : 'probe.sendHex',
      sendHex ?? expectHex,
      `a probe of type ${type ?? 'http'} has its own words`,
      'Leave sendHex and expectHex out.',
    )
  if (route.protocol === 'udp' && (sendHex ?? '') === '' && presetOf(route) === null)
    return fault(
      'probe.sendHex',
      sendHex ?? undefined,
      'a UDP probe needs something that the upstream answers',
      'Give sendHex, and perhaps expectHex. Only for upstreams on port 53 it is known: a DNS query.',
    )
  return null
}

export type ProbeChoice = { readonly probe: ProbeSpec | null; readonly faults: readonly RefusalAt[] }

/** The probe that a route gets for its wish; null without one. */
export function chooseProbe(route: ProbedRoute, wish: ProbeWish | null): ProbeChoice {
  if (wish === null) return { probe: null, faults: [] }
  const wrong = faultOf(route, wish)
  if (wrong !== null) return { probe: null, faults: [wrong] }
  const { sendHex, expectHex } = wish
  const intervalSeconds = wish.intervalSeconds ?? DEFAULT_INTERVAL_SECONDS
  const preset = presetOf(route)
  if (sendHex === null && expectHex === null && (wish.type === null || wish.type === 'udp') && preset !== null)
    return { probe: { ...preset, intervalSeconds }, faults: [] }
  const type = wish.type ?? FITTING[route.protocol][0] ?? 'connect'
  // What is sent over UDP has no other sign of life than an answer.
  const words =
    type === 'udp'
      ? { sendHex: sendHex ?? preset?.sendHex ?? null, expectHex: expectHex ?? '' }
      : { sendHex, expectHex }
  return { probe: { type, ...words, intervalSeconds }, faults: [] }
}

/** What a person's wish to have a route probed now means for one that asks for no probe itself; null when there is no way to ask. */
export const defaultProbe = (route: ProbedRoute): ProbeSpec | null => chooseProbe(route, PRESET).probe
