/** What `fairlead doctor` has to know of a node, gathered by whoever may touch it, and what a finding is. Times are milliseconds since 1970. */
import type { ObservedEntryPoint } from '../observed.ts'
import type { PortSet } from '../port-set.ts'
import type { Protocol } from '../problem.ts'

export const LEVELS = ['fault', 'warn', 'note', 'ok'] as const
/** fault: it does not work. warn: it works, and will hurt. note: good to know. ok: looked at, and in order. */
export type Level = (typeof LEVELS)[number]

export type Finding = {
  readonly level: Level
  /** Stable, for programs. */
  readonly code: string
  /** One sentence without a full stop. */
  readonly message: string
  /** Null when there is nothing to do. Lines that begin with a blank are to be copied. */
  readonly remedy: string | null
}

export const finding =
  (level: Level) =>
  (code: string, message: string, remedy: string | null = null): Finding => ({ level, code, message, remedy })

export const fault = finding('fault')
export const warn = finding('warn')
export const note = finding('note')
export const ok = finding('ok')

/** Of the agent's answer to `/status`. */
export type AgentStatus = {
  readonly node: string
  readonly version: string
  readonly startedAt: number | null
  readonly traefik: {
    /** As the agent's own settings have it. */
    readonly api: string | null
    readonly lastPollAt: number | null
    readonly unauthorized: number
    /** The last poll of a Traefik was refused for its token. */
    readonly tokenRefused: boolean
    /** Polls of clients that are no Traefik. */
    readonly strangers: { readonly polls: number; readonly name: string } | null
    readonly pollers: number
    /** A poll waits for its answer now, or one was answered. */
    readonly polled: boolean
    readonly holdShortened: { readonly askedMs: number; readonly effectiveMs: number } | null
    readonly lastApplyMs: number | null
  }
  readonly routes: number
  /** Those that are neither live nor pending. */
  readonly notLive: number
  /** Of files and documents: their changes do not get through. */
  readonly problems: readonly { readonly origin: string; readonly message: string; readonly remedy: string }[]
  /** Removals that the guard holds. */
  readonly held: number
  /** When Traefik fetched what is served now, while it has not been seen to show it; null: it shows it, or has not fetched it. */
  readonly unseenSince: number | null
  readonly sources: readonly {
    readonly name: string
    /** Null: nothing was ever read. */
    readonly routes: number | null
    readonly fault: { readonly message: string; readonly remedy: string } | null
  }[]
  readonly saved: { readonly fault: { readonly message: string; readonly remedy: string } | null }
}

export type AgentFacts =
  | { readonly kind: 'answers'; readonly status: AgentStatus }
  /** One sentence: what was tried and what came back. */
  | { readonly kind: 'silent'; readonly message: string }

export type TraefikFacts =
  | { readonly kind: 'not-configured' }
  | {
      readonly kind: 'fault'
      readonly fault: 'unreachable' | 'timeout' | 'secured' | 'not-traefik' | 'too-large' | 'status'
      readonly message: string
    }
  | {
      readonly kind: 'read'
      readonly version: string
      readonly startedAt: number | null
      /** Names of its providers; null when it does not say. */
      readonly providers: readonly string[] | null
      readonly entryPoints: readonly ObservedEntryPoint[]
      /** By entry point; null when Traefik does not say. */
      readonly openConnections: ReadonlyMap<string, number> | null
    }

/** A file that has to be there. */
export type FileFacts =
  | {
      readonly kind: 'found'
      /** Permission bits alone. */
      readonly mode: number
      readonly uid: number
    }
  | { readonly kind: 'missing' }
  /** Error code of the system, such as EACCES. */
  | { readonly kind: 'unreadable'; readonly code: string }

export type StateDirectoryFacts = {
  readonly path: string
  readonly file: FileFacts & { readonly isDirectory?: boolean }
  /** Bytes that an ordinary user may still write; null when that is not known. */
  readonly freeBytes: number | null
}

export type SecretFileFacts = { readonly setting: string; readonly path: string; readonly file: FileFacts }

export type ClockFacts = {
  readonly nowMs: number
  /** What the control plane's Date header said; `aheadMs` is how far this machine is ahead of it. Null: none is configured. */
  readonly controlPlane:
    | { readonly kind: 'compared'; readonly host: string; readonly aheadMs: number }
    | { readonly kind: 'silent'; readonly host: string; readonly message: string }
    | null
}

export type KernelFacts = {
  /** net.ipv4.ip_local_port_range; null where it cannot be read. */
  readonly localPorts: { readonly first: number; readonly last: number } | null
  /** net.ipv4.ip_local_reserved_ports. */
  readonly reserved: PortSet | null
}

/** Traefik's static file as far as it says something about us. Durations in milliseconds; null: it does not say. */
export type StaticFacts = {
  readonly path: string
  readonly mode: number
  readonly entryPoints: readonly {
    readonly name: string
    readonly address: string
    readonly asDefault: boolean
  }[]
  readonly throttleMs: number | null
  readonly provider: {
    readonly endpoint: string
    /** Of its query; null when it asks for none, or in a way that cannot be read. */
    readonly holdMs: number | null
    readonly pollIntervalMs: number | null
    readonly pollTimeoutMs: number | null
    readonly sendsToken: boolean
    /** Null: the agent wants none, or its token cannot be read here. */
    readonly tokenMatches: boolean | null
  } | null
  readonly api: { readonly insecure: boolean } | null
}

export type DoctorFacts = {
  readonly commandVersion: string
  /** As this command has read them. */
  readonly settings: {
    readonly node: string
    readonly api: string | null
    readonly ports: { readonly tcp: PortSet; readonly udp: PortSet }
    /** Entry points that the settings name for HTTP. */
    readonly httpEntryPoints: readonly string[]
    /** Why the agent has no source of routes, or null. */
    readonly sourceFault: string | null
    /** `127.0.0.1:7480` */
    readonly provider: { readonly host: string; readonly port: number }
    readonly wantsToken: boolean
  }
  readonly agent: AgentFacts
  readonly traefik: TraefikFacts
  readonly clock: ClockFacts
  readonly kernel: KernelFacts
  readonly stateDirectory: StateDirectoryFacts
  readonly secretFiles: readonly SecretFileFacts[]
  /** Null: none was named. */
  readonly staticFile: StaticFacts | { readonly path: string; readonly fault: string } | null
}

export type L4 = Exclude<Protocol, 'http'>
