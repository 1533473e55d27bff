/**
 * Types of exactly what we emit: Traefik's dynamic configuration, as far as we use it (pkg/config/dynamic).
 *
 * Closed on purpose. One unknown field, one empty map or one wrong type anywhere below the root loses the whole body, with one line in
 * Traefik's log; so a section, a map or an object that would be empty is left out.
 */
export type TcpRouter = {
  readonly entryPoints: readonly string[]
  readonly rule: string
  readonly service: string
  readonly priority: number
  readonly middlewares?: readonly string[]
  readonly tls?: { readonly passthrough: boolean; readonly certResolver?: string }
}

export type TcpHealthCheck = {
  readonly interval: string
  readonly timeout: string
  readonly send?: string
  readonly expect?: string
}

export type L4Server = { readonly address: string }

export type Weighted = {
  readonly weighted: { readonly services: readonly { readonly name: string; readonly weight: number }[] }
}

export type TcpService =
  | {
      readonly loadBalancer: {
        readonly servers: readonly L4Server[]
        readonly serversTransport?: string
        readonly proxyProtocol?: { readonly version: 1 | 2 }
        readonly healthCheck?: TcpHealthCheck
      }
    }
  | {
      readonly weighted: Weighted['weighted'] & {
        /** The one empty object that Traefik takes (`allowEmpty`): children with a health check count only with it. */
        readonly healthCheck?: Readonly<Record<string, never>>
      }
    }

export type TcpMiddleware =
  | { readonly ipAllowList: { readonly sourceRange: readonly string[] } }
  | { readonly inFlightConn: { readonly amount: number } }

export type TcpServersTransport = { readonly dialTimeout: string; readonly proxyProtocol?: { readonly version: 1 | 2 } }

export type UdpRouter = { readonly entryPoints: readonly string[]; readonly service: string }

export type UdpService = { readonly loadBalancer: { readonly servers: readonly L4Server[] } } | Weighted

export type HttpRouter = {
  readonly entryPoints: readonly string[]
  readonly rule: string
  readonly service: string
  readonly priority: number
  readonly middlewares?: readonly string[]
  readonly tls?: {
    readonly options: string
    readonly certResolver?: string
    readonly domains?: readonly { readonly main: string }[]
  }
}

export type HttpService = {
  readonly loadBalancer: {
    readonly servers: readonly { readonly url: string; readonly weight?: number }[]
    readonly passHostHeader?: boolean
    readonly healthCheck?: { readonly path: string; readonly interval: string; readonly timeout: string }
  }
}

export type HttpMiddleware =
  | { readonly redirectScheme: { readonly scheme: 'https'; readonly permanent: true; readonly port?: string } }
  | { readonly replacePathRegex: { readonly regex: string; readonly replacement: string } }

type Named<T> = Readonly<Record<string, T>>

export type HttpSection = {
  readonly routers?: Named<HttpRouter>
  readonly services?: Named<HttpService>
  readonly middlewares?: Named<HttpMiddleware>
}

export type TcpSection = {
  readonly routers?: Named<TcpRouter>
  readonly services?: Named<TcpService>
  readonly middlewares?: Named<TcpMiddleware>
  readonly serversTransports?: Named<TcpServersTransport>
}

export type UdpSection = { readonly routers?: Named<UdpRouter>; readonly services?: Named<UdpService> }

/** PEM inline: Traefik takes the text itself in place of a file's name. */
export type TlsPair = { readonly certFile: string; readonly keyFile: string }

export type TlsSection = {
  readonly certificates?: readonly TlsPair[]
  readonly stores?: { readonly default: { readonly defaultCertificate: TlsPair } }
}

export type DynamicConfig = {
  readonly http?: HttpSection
  readonly tcp?: TcpSection
  readonly udp?: UdpSection
  readonly tls?: TlsSection
}
