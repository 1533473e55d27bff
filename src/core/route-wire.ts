/** The schemas of routes as they come over the wire: what each field may be, alone. What fields say together is judged in route.ts. */
import { z } from 'zod'
import {
  absent,
  address,
  cidr,
  duration,
  hostName,
  httpUrl,
  idText,
  instant,
  list,
  pathPrefix,
  plainText,
  port,
  resolverName,
  sniHostName,
  weight,
  wholeNumber,
} from './fields.ts'
import { probeField } from './probe/spec.ts'

const common = {
  id: idText,
  serviceId: absent(z.string().max(200)),
  claimedAt: absent(instant),
  expiresAt: absent(instant),
  probe: probeField,
}

const orElse = <T extends z.ZodType>(schema: T, fallback: z.output<T>) =>
  schema.nullish().transform(value => value ?? fallback)

const checkTimes = { interval: orElse(duration, 10_000), timeout: orElse(duration, 5_000) }

export const httpHealthCheck = z.object({ path: pathPrefix, ...checkTimes })

export const httpUpstream = z.object(
  { url: httpUrl, weight: orElse(weight, 1) },
  { error: 'is not an object such as {"url": "http://10.200.1.5:3000"}' },
)

/** Elements of any list within a route. */
export const MAX_LIST = 1000

export const httpWire = z.object({
  ...common,
  domain: hostName,
  pathPrefix: orElse(pathPrefix, '/'),
  upstreams: list(httpUpstream, MAX_LIST),
  healthCheck: absent(httpHealthCheck),
  redirectToHttps: orElse(z.boolean(), true),
  certResolver: absent(resolverName),
})

export const tcpHealthCheck = z.object({
  ...checkTimes,
  send: absent(plainText(1000)),
  expect: absent(plainText(1000)),
})

const l4 = {
  ...common,
  upstreams: list(address, MAX_LIST),
  weights: absent(list(weight, MAX_LIST)),
  externalPort: port,
  externalPortEnd: absent(port),
}

export const tcpWire = z.object({
  ...l4,
  tlsPassthrough: absent(z.boolean()),
  tls: absent(z.enum(['none', 'passthrough', 'terminate'])),
  sniHostname: absent(sniHostName),
  certResolver: absent(resolverName),
  proxyProtocol: absent(z.literal([1, 2])),
  allowCidrs: orElse(list(cidr, MAX_LIST), []).transform(value => [...new Set(value)].sort()),
  maxConnectionsPerClient: absent(wholeNumber(1, 1_000_000)),
  healthCheck: absent(tcpHealthCheck),
  protocolHint: absent(z.string().regex(/^[a-z0-9-]{1,32}$/, 'is not a name such as postgres')),
})

export const udpWire = z.object(l4)
