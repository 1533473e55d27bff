/**
 * What Traefik takes of us, written down a second time and apart from the types: closed objects, no empty map, every text in a form of its
 * own. Where a user's text may stand, only letters that mean nothing in a rule, a name or an address can.
 */
import { z } from 'zod'

const HOST = String.raw`(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*`
const PATTERN = String.raw`\^\[\^\.\]\+(?:\\\.[a-z0-9-]+)+\$`
const L4_RULE = new RegExp(`^(?:HostSNI\\(\`(?:\\*|(?:\\*\\.)?${HOST})\`\\)|HostSNIRegexp\\(\`${PATTERN}\`\\))$`)
const PATH = String.raw`/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*`
const CHALLENGE = String.raw`\^/\\\.well-known/acme-challenge/\(\[A-Za-z0-9_-\]\+\)\$`
const HTTP_RULE = new RegExp(
  `^(?:(?:Host\\(\`${HOST}\`\\)|HostRegexp\\(\`${PATTERN}\`\\))(?: && PathPrefix\\(\`${PATH}\`\\))?|PathRegexp\\(\`${CHALLENGE}\`\\))$`,
)
const ADDRESS = new RegExp(`^(?:\\d+\\.\\d+\\.\\d+\\.\\d+|\\[[0-9a-f:]+\\]|${HOST}):[1-9]\\d{0,4}$`)
const URL = new RegExp(`^(?:http|https|h2c)://${ADDRESS.source.slice(1)}`)

const ENTRY_POINTS = z.array(z.string().regex(/^[a-z0-9-]+$/)).min(1)
const DURATION = z.string().regex(/^[1-9]\d{2,5}ms$/)
const RESOLVER = z.string().regex(/^[A-Za-z0-9_-]+$/)

const name = (protocol: string) => new RegExp(`^${protocol}_[A-Za-z0-9_-]*(?:\\.[0-9a-f]{16})?(?:\\.\\d{1,5})?`)
const names = (protocol: string, parts: string) =>
  z.string().regex(new RegExp(`${name(protocol).source}${parts}$|^tombstone(?:_${protocol}-\\d+(?:\\.tls)?)?$`))

const map = <T extends z.ZodType>(key: z.ZodType<string>, value: T) =>
  z
    .record(z.string(), value)
    .refine(found => Object.keys(found).length > 0, 'an empty map')
    .refine(found => Object.keys(found).every(text => key.safeParse(text).success), 'a name of another form')

const servers = z.array(z.strictObject({ address: z.string().regex(ADDRESS) }))
const weighted = z.strictObject({
  services: z.array(z.strictObject({ name: z.string(), weight: z.int().min(1).max(1000) })).min(1),
  healthCheck: z.strictObject({}).optional(),
})
const proxyProtocol = z.strictObject({ version: z.union([z.literal(1), z.literal(2)]) })
const beacon = /^fairlead-revision-[0-9a-f]{64}$/

const tcp = z.strictObject({
  routers: map(
    names('tcp', '(?:\\.tls)?'),
    z.strictObject({
      entryPoints: ENTRY_POINTS,
      rule: z.string().regex(L4_RULE),
      service: names('tcp', ''),
      priority: z.int(),
      middlewares: z.array(names('tcp', '\\.(?:allow|limit)')).min(1).optional(),
      tls: z.strictObject({ passthrough: z.boolean(), certResolver: RESOLVER.optional() }).optional(),
    }),
  ).optional(),
  services: map(
    z.union([names('tcp', '(?:\\.s\\d+)?'), z.string().regex(beacon)]),
    z.union([
      z.strictObject({
        loadBalancer: z.strictObject({
          servers,
          serversTransport: z.string().optional(),
          proxyProtocol: proxyProtocol.optional(),
          healthCheck: z
            .strictObject({
              interval: DURATION,
              timeout: DURATION,
              send: z
                .string()
                .regex(/^[\x20-\x7e\r\n\t]*$/)
                .optional(),
              expect: z
                .string()
                .regex(/^[\x20-\x7e\r\n\t]*$/)
                .optional(),
            })
            .optional(),
        }),
      }),
      z.strictObject({ weighted }),
    ]),
  ).optional(),
  middlewares: map(
    names('tcp', '\\.(?:allow|limit)'),
    z.union([
      z.strictObject({
        ipAllowList: z.strictObject({ sourceRange: z.array(z.string().regex(/^[0-9a-f.:]+\/\d+$/)).min(1) }),
      }),
      z.strictObject({ inFlightConn: z.strictObject({ amount: z.int().min(1) }) }),
    ]),
  ).optional(),
  serversTransports: map(
    z.string().regex(/^fairlead(?:-proxy-protocol-[12])?$/),
    z.strictObject({ dialTimeout: z.string().regex(/^\d+s$/), proxyProtocol: proxyProtocol.optional() }),
  ).optional(),
})

const udp = z.strictObject({
  routers: map(names('udp', ''), z.strictObject({ entryPoints: ENTRY_POINTS, service: names('udp', '') })),
  services: map(
    names('udp', '(?:\\.s\\d+)?'),
    z.union([
      z.strictObject({ loadBalancer: z.strictObject({ servers }) }),
      z.strictObject({ weighted: weighted.omit({ healthCheck: true }) }),
    ]),
  ),
})

const httpNames = z.union([names('http', '(?:\\.(?:redirect|plain))?'), z.literal('fairlead-acme-challenge')])

const http = z.strictObject({
  routers: map(
    httpNames,
    z.strictObject({
      entryPoints: ENTRY_POINTS,
      rule: z.string().regex(HTTP_RULE),
      service: httpNames,
      priority: z.int().min(1),
      middlewares: z
        .array(z.enum(['fairlead-redirect', 'fairlead-acme-challenge']))
        .min(1)
        .optional(),
      tls: z
        .strictObject({
          options: z.literal('default'),
          certResolver: RESOLVER.optional(),
          domains: z
            .array(z.strictObject({ main: z.string().regex(new RegExp(`^\\*\\.${HOST}$`)) }))
            .min(1)
            .optional(),
        })
        .optional(),
    }),
  ),
  services: map(
    httpNames,
    z.strictObject({
      loadBalancer: z.strictObject({
        servers: z.array(
          z.strictObject({
            url: z
              .string()
              .regex(/^https:\/\/control\.example\.com$/)
              .or(z.string().regex(URL)),
            weight: z.int().min(1).max(1000).optional(),
          }),
        ),
        passHostHeader: z.boolean().optional(),
        healthCheck: z
          .strictObject({ path: z.string().regex(new RegExp(`^${PATH}$`)), interval: DURATION, timeout: DURATION })
          .optional(),
      }),
    }),
  ),
  middlewares: map(
    z.enum(['fairlead-redirect', 'fairlead-acme-challenge']),
    z.union([
      z.strictObject({
        redirectScheme: z.strictObject({
          scheme: z.literal('https'),
          permanent: z.literal(true),
          port: z.string().regex(/^\d+$/).optional(),
        }),
      }),
      z.strictObject({ replacePathRegex: z.strictObject({ regex: z.string(), replacement: z.string() }) }),
    ]),
  ).optional(),
})

const pem = z.string().regex(/^-----BEGIN [A-Z ]+-----\n[\s\S]+\n-----END [A-Z ]+-----\n$/)
const tlsPair = z.strictObject({ certFile: pem, keyFile: pem })

/** A body as Traefik gets it, decoded. */
export const dynamicConfigSchema = z.strictObject({
  http: http.optional(),
  tcp: tcp.optional(),
  udp: udp.optional(),
  tls: z
    .strictObject({
      certificates: z.array(tlsPair).min(1).optional(),
      stores: z.strictObject({ default: z.strictObject({ defaultCertificate: tlsPair }) }).optional(),
    })
    .optional(),
})

export type DecodedConfig = z.output<typeof dynamicConfigSchema>
