/** How much of anything a client of the provider endpoint may take up: any process of the machine can be one. */
export type ProviderLimits = {
  readonly maxConnections: number
  readonly maxHeaderBytes: number
  /** Requests on one connection whose answers are not out yet. */
  readonly maxPipelined: number
  /** From the beginning of an answer until the kernel has all of it. */
  readonly sendDeadlineMs: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** After this `stop` breaks what is still open. */
  readonly stopDeadlineMs: number
}

export const PROVIDER_LIMITS: ProviderLimits = {
  maxConnections: 64,
  // Far more than Traefik sends, with a long token.
  maxHeaderBytes: 8_192,
  maxPipelined: 16,
  sendDeadlineMs: 10_000,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  // Go drops idle connections after 90 s. It has to be the first to do so, for a new connection makes us look whether Traefik is new.
  keepAliveTimeoutMs: 120_000,
  stopDeadlineMs: 4_000,
}
