/** Services: a name, what it speaks, where it answers, and the ports under which it is reached. */
import { z } from 'zod'
import { weight } from '../core/fields.ts'
import { MAX_LIST } from '../core/route-wire.ts'
import { parseAddress } from '../core/upstream.ts'
import { PageQuery, pageOf } from './page.ts'
import { ConnectCommand, OpenConnections, Port, PortInput, PresetId } from './port.ts'
import { PlainName } from './project.ts'
import { protocolSchema, routeVerdictSchema } from './verdict.ts'

/** The host of an upstream: the port comes from each port of the service. */
export const EndpointAddress = z
  .string()
  .transform((text, ctx): string => {
    const bare = /^\[([^\]]*)\]$/.exec(text)?.[1] ?? text
    const parsed = parseAddress(bare.includes(':') ? `[${bare}]:1` : `${bare}:1`)
    if (parsed.ok) return parsed.address.host
    const hasPort = /^[^:]*:\d+$|\]:\d+$/.test(text)
    const refusal = {
      code: 'UPSTREAM_INVALID',
      message: hasPort ? 'the address carries a port' : parsed.message,
      remedy: hasPort
        ? 'Leave the port out: each port of the service says where its endpoints listen.'
        : 'Write it as 10.200.1.5 or fd00::5.',
    }
    ctx.addIssue({ code: 'custom', message: refusal.message, params: refusal })
    return z.NEVER
  })
  .meta({ example: '10.200.1.5' })

export const EndpointInput = z
  .strictObject({ address: EndpointAddress, weight: weight.default(1) })
  .meta({ id: 'EndpointInput' })
export type EndpointInput = z.output<typeof EndpointInput>

/** The whole list, each address once. */
export const EndpointList = z
  .array(EndpointInput)
  .max(MAX_LIST)
  .superRefine((endpoints, ctx) => {
    const seen = new Set<string>()
    for (const [i, { address }] of endpoints.entries()) {
      if (seen.has(address))
        ctx.addIssue({
          code: 'custom',
          path: [i, 'address'],
          message: `${address} is there twice`,
          params: {
            code: 'FIELD_INVALID',
            message: `${address} is there twice`,
            remedy: 'Give it once, with the weight that it should have.',
          },
        })
      seen.add(address)
    }
  })
  .meta({ id: 'EndpointList' })
export type EndpointList = z.output<typeof EndpointList>

/** How many ports one service may have. */
export const MAX_PORTS = 100

export const ServiceInput = z
  .strictObject({
    projectId: z
      .string()
      .optional()
      .meta({ description: "Default: the token's project, or the only one there is, or a new one named `default`." }),
    name: PlainName,
    preset: PresetId.nullable().default(null),
    endpoints: EndpointList.default([]),
    ports: z.array(PortInput).max(MAX_PORTS).default([]),
  })
  .meta({ id: 'ServiceInput' })
export type ServiceInput = z.output<typeof ServiceInput>

export const ServicePatch = z
  .strictObject({ name: PlainName.optional(), preset: PresetId.nullable().optional() })
  .meta({ id: 'ServicePatch' })
export type ServicePatch = z.output<typeof ServicePatch>

export const Endpoint = z.object({ address: z.string(), weight: z.int() }).meta({ id: 'Endpoint' })
export type Endpoint = z.output<typeof Endpoint>

export const Service = z
  .object({
    id: z.string(),
    projectId: z.string(),
    name: z.string(),
    preset: PresetId.nullable(),
    endpoints: z.array(Endpoint),
    ports: z.array(Port),
    verdict: routeVerdictSchema.nullable().meta({ description: 'The worst of its public ports; null without one.' }),
    version: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Service' })
export type Service = z.output<typeof Service>

export const ServiceChanged = Service.extend({
  openConnections: z
    .array(OpenConnections)
    .meta({ description: 'On the old routes, by the last word of each node: they stay open.' }),
}).meta({ id: 'ServiceChanged' })
export type ServiceChanged = z.output<typeof ServiceChanged>

/** A service in a list: enough to find it and to see how it is. */
export const ServiceRow = z
  .object({
    id: z.string(),
    projectId: z.string(),
    name: z.string(),
    preset: PresetId.nullable(),
    /** Of its public ports. */
    addresses: z.array(z.string()),
    endpoints: z.array(z.string()),
    /** Where they listen. */
    ports: z.array(z.int()),
    protocols: z.array(protocolSchema),
    verdict: routeVerdictSchema.nullable(),
    version: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'ServiceRow', description: 'With `fields=`, only the named ones and `id`.' })
export type ServiceRow = z.output<typeof ServiceRow>

export const SERVICE_ROW_FIELDS = [
  'id',
  'projectId',
  'name',
  'preset',
  'addresses',
  'endpoints',
  'ports',
  'protocols',
  'verdict',
  'version',
  'createdAt',
  'updatedAt',
] as const satisfies readonly (keyof ServiceRow)[]
export type ServiceRowField = (typeof SERVICE_ROW_FIELDS)[number]

export const SlimServiceRow = ServiceRow.partial().required({ id: true }).meta({ id: 'SlimServiceRow' })
export type SlimServiceRow = z.output<typeof SlimServiceRow>

/** `a,b`, each one of the words. */
const commaList = <const T extends string>(words: readonly T[]) =>
  z.string().transform((text, ctx): T[] => {
    const word = z.enum(words)
    return text.split(',').flatMap(part => {
      const parsed = word.safeParse(part.trim())
      if (parsed.success) return [parsed.data]
      ctx.addIssue({ code: 'custom', message: `"${part.slice(0, 40)}" is none of ${words.join(', ')}`, input: text })
      return []
    })
  })

export const ServiceQuery = PageQuery.extend({
  q: z
    .string()
    .max(200)
    .optional()
    .meta({ description: 'Part of a name, a host name, an address of an endpoint, or a port number.' }),
  projectId: z.string().optional(),
  protocol: protocolSchema.optional(),
  verdict: commaList(routeVerdictSchema.options).optional().meta({ description: 'Some of the words, by commas.' }),
  fields: commaList(SERVICE_ROW_FIELDS).optional().meta({ description: 'Which fields, by commas; default: all.' }),
})
export type ServiceQuery = z.output<typeof ServiceQuery>

export const ServicePage = pageOf(SlimServiceRow).meta({ id: 'ServicePage' })
export type ServicePage = z.output<typeof ServicePage>

/** What a kind of service brings along. */
export const Preset = z
  .object({
    id: PresetId,
    title: z.string().meta({ example: 'PostgreSQL' }),
    protocol: protocolSchema,
    /** Where such services listen as a rule; null: there is no rule. */
    port: z.int().nullable(),
    /** What agents are told; null: nothing. */
    protocolHint: z.string().nullable(),
    speaksFirst: z.enum(['client', 'server']).nullable(),
    /** Whether its clients can choose a route by host name, and may share a number. */
    sni: z.boolean(),
    /** Why not. */
    sniReason: z.string().nullable(),
    /** A probe that fits, for a form to offer. */
    probe: Port.shape.probe,
    /** Data behind it that not everybody should reach: a form asks who may connect. */
    sensitive: z.boolean(),
    notes: z.array(z.string()),
    /** The client commands for an example, as a port's `connect` has them. */
    connect: z.array(ConnectCommand),
  })
  .meta({ id: 'Preset' })
export type Preset = z.output<typeof Preset>

export const PresetList = z.object({ items: z.array(Preset) }).meta({ id: 'PresetList' })
export type PresetList = z.output<typeof PresetList>
