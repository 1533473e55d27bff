/** What Traefik shows of itself, as far as compiling depends on it. Read by the shell (traefik-api.ts), judged by the core. */
import type { Protocol } from './problem.ts'

export type ObservedEntryPoint = {
  readonly name: string
  /** As in the static configuration: `:10000`, `127.0.0.1:5432`. */
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

/** A router of another provider than ours, that is not disabled. */
export type ForeignRouter = {
  /** With its provider: `pg@file`. */
  readonly name: string
  readonly protocol: Protocol
  readonly entryPoints: readonly string[]
  /** Null on UDP. */
  readonly rule: string | null
  readonly tls: boolean
}

export type ObservedTraefik = {
  /** `3.7.15`, or null when it does not say. */
  readonly version: string | null
  readonly entryPoints: readonly ObservedEntryPoint[]
  readonly foreignRouters: readonly ForeignRouter[]
}
