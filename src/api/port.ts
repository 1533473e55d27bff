/**
 * A port of a service: what people ask for, and what they get.
 *
 * Each field is read by the parser that agents read it with, so what is taken here is taken there. Where agents keep another form than
 * people write (durations, probes), the text is checked and kept as it was written. What fields say together is judged in control/services.
 */
import { z } from 'zod'
import {
  cidr,
  duration,
  hostName,
  instant,
  pathPrefix,
  port,
  resolverName,
  sniHostName,
  wholeNumber,
} from '../core/fields.ts'
import { probeField, probeWire } from '../core/probe/spec.ts'
import { isRecord } from '../core/refusal.ts'
import { MAX_LIST, tcpHealthCheck } from '../core/route-wire.ts'
import { protocolSchema, routeVerdictSchema } from './verdict.ts'

/** What a service speaks. Closed: each has a default port, a probe, client commands and its traps; `GET /presets` tells them. */
export const PRESET_IDS = [
  'http',
  'postgres',
  'mysql',
  'redis',
  'mqtt',
  'smtp',
  'ssh',
  'ftp',
  'dns',
  'minecraft',
  'custom',
] as const
export const PresetId = z.enum(PRESET_IDS).meta({ id: 'PresetId' })
export type PresetId = z.output<typeof PresetId>

export const TlsMode = z
  .enum(['none', 'passthrough', 'terminate'])
  .meta({ id: 'TlsMode', description: 'Who ends TLS: nobody, the service itself, or the proxy.' })
export type TlsMode = z.output<typeof TlsMode>

/** The value as it was written, once the parser has taken it. */
const asWritten = <T extends z.ZodType>(parser: T) =>
  z.string().superRefine((text, ctx) => {
    const parsed = parser.safeParse(text)
    if (!parsed.success) for (const issue of parsed.error.issues) ctx.addIssue({ ...issue })
  })

const portNumber = port.meta({ minimum: 1, maximum: 65_535 })
const durationText = asWritten(duration).meta({ example: '10s' })

/** Of HTTP: `path`, `interval`, `timeout`. Of TCP: `interval`, `timeout`, `send`, `expect`. */
export const HealthCheck = z
  .strictObject({
    path: asWritten(pathPrefix).optional().meta({ description: 'HTTP alone, and needed there.', example: '/up' }),
    interval: durationText.optional(),
    timeout: durationText.optional(),
    send: asWritten(tcpHealthCheck.shape.send).optional().meta({ description: 'TCP alone.' }),
    expect: asWritten(tcpHealthCheck.shape.expect).optional().meta({ description: 'TCP alone.' }),
  })
  .meta({ id: 'HealthCheck', description: 'Traefik asks each endpoint by itself, and leaves out those that fail.' })
export type HealthCheck = z.output<typeof HealthCheck>

const ProbeObject = z
  .strictObject({
    type: z.enum(['connect', 'tls', 'postgres', 'udp', 'http']).optional(),
    sendHex: z.string().optional(),
    expectHex: z.string().optional(),
    intervalSeconds: z.int().optional(),
  })
  .meta({ id: 'ProbeObject' })

export type Probe = boolean | z.output<typeof ProbeObject>

const probeIssues = (raw: unknown, ctx: z.core.$RefinementCtx): boolean => {
  const parsed = probeField.safeParse(raw)
  if (!parsed.success) for (const issue of parsed.error.issues) ctx.addIssue({ ...issue })
  const unknown = isRecord(raw) ? Object.keys(raw).filter(key => !Object.hasOwn(probeWire.shape, key)) : []
  for (const key of unknown) ctx.addIssue({ code: 'custom', message: `is not a probe: it has no field ${key}` })
  return parsed.success && unknown.length === 0
}

const ProbeInput = z
  .unknown()
  .transform((raw, ctx): Probe | null => {
    if (!probeIssues(raw, ctx)) return z.NEVER
    if (typeof raw === 'boolean') return raw
    if (!isRecord(raw)) return null
    // A field that is null is one that is not there.
    const said = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null))
    const parsed = ProbeObject.safeParse(said)
    if (parsed.success) return parsed.data
    for (const issue of parsed.error.issues) ctx.addIssue({ ...issue })
    return z.NEVER
  })
  .meta({
    description: "Asked through the proxy's own port, now and then: true for what fits the protocol, or in detail.",
    anyOf: [
      { type: 'boolean' },
      { type: 'null' },
      {
        type: 'object',
        properties: {
          type: { type: 'string', enum: ['connect', 'tls', 'postgres', 'udp', 'http'] },
          sendHex: { type: 'string' },
          expectHex: { type: 'string' },
          intervalSeconds: { type: 'integer', minimum: 5, maximum: 3600 },
        },
        additionalProperties: false,
      },
    ],
  })

const maybe = <T extends z.ZodType>(schema: T) => schema.nullable().optional()

/** In a PATCH what is absent stays as it is, and null is what a new port would have. */
const optionalFields = {
  isPublic: maybe(z.boolean()).meta({ description: 'Default true: it gets a public address.' }),
  preset: maybe(PresetId).meta({ description: 'Default: that of the service.' }),
  domain: maybe(hostName).meta({
    description: 'HTTP alone. One leading `*.` stands for one label.',
    example: 'app.example.com',
  }),
  pathPrefix: maybe(pathPrefix).meta({ description: 'HTTP alone; default `/`.' }),
  redirectToHttps: maybe(z.boolean()).meta({ description: 'HTTP alone; default true.' }),
  certResolver: maybe(resolverName).meta({ description: "A resolver of Traefik's static configuration." }),
  externalPort: maybe(portNumber).meta({
    description: 'The wanted number; default: the lowest that is free.',
    example: 10_001,
  }),
  externalPortEnd: maybe(portNumber).meta({
    description: 'The last number of a block that begins with `externalPort`.',
  }),
  shared: maybe(portNumber).meta({
    description: 'A shared number, on which the port has its `sniHostname` alone.',
    example: 5432,
  }),
  tlsPassthrough: maybe(z.boolean()).meta({
    description: 'TLS goes through to the service. With a host name it is so anyway.',
  }),
  tls: maybe(TlsMode),
  sniHostname: maybe(sniHostName).meta({
    description: 'The host name in the TLS hello that chooses this port; empty or `*`: none.',
    example: 'db.example.com',
  }),
  allowCidrs: maybe(z.array(cidr).max(MAX_LIST)).meta({
    description: 'Clients of these networks alone; empty: anyone.',
    example: ['203.0.113.0/24'],
  }),
  maxConnectionsPerClient: maybe(wholeNumber(1, 1_000_000)),
  proxyProtocol: maybe(z.literal([1, 2])).meta({
    description: "Tells the service the client's address; it has to expect that.",
  }),
  healthCheck: maybe(HealthCheck),
  probe: ProbeInput.optional(),
  expiresAt: maybe(instant).meta({
    description: 'RFC 3339. The port stops being public then, by itself.',
    example: '2026-12-24T18:00:00Z',
  }),
}

const ownPort = portNumber.meta({ description: 'Where the endpoints of the service listen.', example: 5432 })

export const PortInput = z
  .strictObject({ port: ownPort, protocol: protocolSchema, ...optionalFields })
  .meta({ id: 'PortInput' })
export type PortInput = z.output<typeof PortInput>

export const PortPatch = z
  .strictObject({ port: ownPort.optional(), protocol: protocolSchema.optional(), ...optionalFields })
  .meta({ id: 'PortPatch' })
export type PortPatch = z.output<typeof PortPatch>

export const ConnectCommand = z
  .object({
    client: z.string().meta({ example: 'psql' }),
    /** For a POSIX shell, quoted. */
    command: z.string(),
    note: z.string().nullable(),
  })
  .meta({ id: 'ConnectCommand' })
export type ConnectCommand = z.output<typeof ConnectCommand>

export const Port = z
  .object({
    id: z.string(),
    serviceId: z.string(),
    port: z.int(),
    protocol: protocolSchema,
    isPublic: z.boolean(),
    preset: PresetId.nullable(),
    domain: z.string().nullable(),
    pathPrefix: z.string().nullable(),
    redirectToHttps: z.boolean().nullable(),
    certResolver: z.string().nullable(),
    externalPort: z.int().nullable(),
    externalPortEnd: z.int().nullable(),
    shared: z.int().nullable(),
    tlsPassthrough: z.boolean(),
    tls: TlsMode.nullable().meta({ description: 'Null where it is not of TCP.' }),
    sniHostname: z.string().nullable(),
    allowCidrs: z.array(z.string()),
    maxConnectionsPerClient: z.int().nullable(),
    proxyProtocol: z.int().nullable(),
    healthCheck: HealthCheck.nullable(),
    probe: z.union([z.boolean(), ProbeObject]).nullable(),
    expiresAt: z.string().nullable(),
    address: z
      .string()
      .nullable()
      .meta({ description: 'What clients use; null while it is not public.', example: 'proxy.example.com:10001' }),
    connect: z.array(ConnectCommand),
    verdict: routeVerdictSchema
      .nullable()
      .meta({ description: 'The worst of all nodes; null while it is not public.' }),
    version: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Port' })
export type Port = z.output<typeof Port>

/** Connections that were open on a node when a route changed: they stay open, as they were. */
export const OpenConnections = z
  .object({ nodeId: z.string(), nodeName: z.string(), connections: z.int() })
  .meta({ id: 'OpenConnections' })
export type OpenConnections = z.output<typeof OpenConnections>

const openConnections = z
  .array(OpenConnections)
  .meta({ description: 'On the old route, by the last word of each node: they stay open. Empty: none is known of.' })

export const PortChanged = Port.extend({ openConnections }).meta({ id: 'PortChanged' })
export type PortChanged = z.output<typeof PortChanged>

export const ReleasedPort = z
  .object({
    protocol: z.enum(['tcp', 'udp']),
    port: z.int(),
    host: z.string().meta({ description: 'Empty for the number as a whole.' }),
    rests: z.boolean().meta({ description: 'False: no node was ever sent it, so it is free at once.' }),
  })
  .meta({ id: 'ReleasedPort' })
export type ReleasedPort = z.output<typeof ReleasedPort>

export const Deleted = z
  .object({ id: z.string(), released: z.array(ReleasedPort), openConnections })
  .meta({ id: 'Deleted' })
export type Deleted = z.output<typeof Deleted>
