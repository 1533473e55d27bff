/**
 * The body of `POST /api/v1/agent/status`: what an agent tells its control plane. Both halves know it from here.
 */
import type { ObservedEntryPoint } from './observed.ts'
import type { Protocol, RouteKey } from './problem.ts'
import type { ReasonCode, Verdict } from './verdict.ts'

export const REPORT_SCHEMA = 1

export type Revision = number | string | null

export type ReportHead = {
  readonly controlPlaneId: string | null
  readonly epoch: number | null
  readonly revision: { readonly expected: Revision; readonly served: Revision; readonly applied: Revision }
  readonly agentVersion: string
  readonly traefik: {
    readonly state: 'verified' | 'unverified' | 'down' | 'never-polled'
    readonly version: string | null
    readonly startedAt: string | null
    readonly lastPollAt: string | null
  }
  readonly held: { readonly hash: string; readonly removals: readonly RouteKey[] } | null
  readonly drift: {
    readonly missing: number
    readonly extra: number
    readonly different: number
    readonly disabled: number
  }
}

export type ReportStep = {
  readonly step: string
  /** Null: not known, or not tried. */
  readonly ok: boolean | null
  readonly at: string | null
  readonly detail: string
  /** On `probed`, when the probe answers a person. */
  readonly requestId?: string
}

export type ReportedVerdict = {
  readonly id: string
  readonly protocol: Protocol
  readonly verdict: Verdict
  readonly reason: ReasonCode
  readonly message: string
  readonly remedy: string
  /** Of the state in which the verdict came to be. */
  readonly revision: number | string
  readonly since: string
  /** Absent on a live row, unless a probe of it answers a person. */
  readonly chain?: readonly ReportStep[]
  readonly timingsMs?: Readonly<Record<string, number>>
  readonly served?: { readonly router: unknown; readonly service: unknown }
}

export type StatusReport = ReportHead & {
  readonly schema: typeof REPORT_SCHEMA
  readonly reportSeq: number
  /** True: what was reported before is void. The rows that do not fit come in the next reports. */
  readonly full: boolean
  readonly counts: Readonly<Record<Verdict, number>>
  readonly verdicts: readonly ReportedVerdict[]
  /** Ids of routes that are no more; with the protocol (`tcp/pg`) where the id alone is not one route's. */
  readonly gone: readonly string[]
  /** Absent: as it was. Null: not known. */
  readonly entryPoints?: readonly Pick<ObservedEntryPoint, 'name' | 'address' | 'protocol'>[] | null
  /** By id, as in `gone`; routes without open connections are left out. */
  readonly openConnections: Readonly<Record<string, number>>
}
