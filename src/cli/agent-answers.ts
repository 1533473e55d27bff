/**
 * What the commands read of the agent's answers. Agent and command may be of different versions for a while: fields that we do not know
 * are passed over, those that an older agent does not send have a value that says nothing, and unknown words are shown as they are.
 */
import { z } from 'zod'
import { PROTOCOLS } from '../core/problem.ts'

const text = z.string()
const textOrNull = z.string().nullable().catch(null)
const texts = z.array(z.string()).catch([])
const numberOrNull = z.number().nullable().catch(null)
const count = z.number().catch(0)
const label = z.union([z.string(), z.number()]).nullable().catch(null)

const faultAnswer = z.object({
  code: text.catch(''),
  message: text,
  remedy: text.catch(''),
  since: textOrNull,
})

export const routeAnswer = z.object({
  id: text,
  protocol: z.enum(PROTOCOLS),
  verdict: text,
  reason: text.catch(''),
  message: text.catch(''),
  remedy: text.catch(''),
  entryPoints: texts,
  notes: texts,
  origin: text.catch(''),
  since: textOrNull,
  revision: label,
  health: z.object({ total: count, down: count, unasked: count }).nullable().catch(null),
  // Where it can be reached, in the words of the wire.
  externalPort: numberOrNull,
  externalPortEnd: numberOrNull,
  sniHostname: textOrNull,
  domain: textOrNull,
  pathPrefix: textOrNull,
})
export type RouteAnswer = z.output<typeof routeAnswer>

const heldAnswer = z.object({
  source: text.catch(''),
  hash: text,
  removals: texts,
  reason: text.catch(''),
  message: text.catch(''),
  /** When it goes through by itself; null: not by itself. */
  until: textOrNull,
})
export type HeldAnswer = z.output<typeof heldAnswer>

export const DRIFT_KINDS = ['missing', 'different', 'disabled', 'extra'] as const
export type DriftKind = (typeof DRIFT_KINDS)[number]

const driftAnswer = z
  .object({
    missing: count,
    different: count,
    disabled: count,
    extra: count,
    /** Routers of other providers on our entry points: no fault of anybody. */
    foreign: count,
    beaconMissing: z.boolean().catch(false),
    /** Not all of them. */
    entries: z
      .array(
        z.object({
          kind: text,
          protocol: text.catch(''),
          what: text.catch(''),
          name: text,
          detail: textOrNull,
        }),
      )
      .catch([]),
  })
  .nullable()
  .catch(null)

export const statusAnswer = z.object({
  node: text,
  version: text.catch(''),
  startedAt: textOrNull,
  revision: z.object({ expected: label, served: label, applied: label }),
  traefik: z.object({
    state: text,
    version: textOrNull,
    startedAt: textOrNull,
    api: textOrNull,
    fault: textOrNull,
    lastPollAt: textOrNull,
    polls: count,
    unauthorized: count,
    tokenRefused: z.boolean().catch(false),
    strangers: z.object({ polls: z.number(), name: text }).nullable().catch(null),
    pollers: count,
    holdShortened: z.object({ askedMs: z.number(), effectiveMs: z.number() }).nullable().catch(null),
    lastApplyMs: numberOrNull,
    entryPoints: z
      .array(z.object({ name: text, port: z.int().min(1).max(65_535), protocol: text }))
      .nullable()
      .catch(null),
  }),
  routes: z.array(routeAnswer),
  problems: z
    .array(
      z.object({
        code: text.catch(''),
        origin: text,
        field: textOrNull,
        message: text,
        remedy: text.catch(''),
      }),
    )
    .catch([]),
  unknownFields: z.array(z.object({ field: text, count })).catch([]),
  sources: z
    .array(
      z.object({
        name: text,
        routes: numberOrNull,
        lastSuccessAt: textOrNull,
        fault: faultAnswer.nullable().catch(null),
      }),
    )
    .catch([]),
  waiting: z.object({ for: text, names: texts }).nullable().catch(null),
  store: z
    .object({ savedAt: textOrNull, fault: faultAnswer.nullable().catch(null) })
    .catch({ savedAt: null, fault: null }),
  held: z.array(heldAnswer).catch([]),
  drift: driftAnswer,
  publication: z.object({ fetchedAt: textOrNull, appliedAt: textOrNull }).catch({ fetchedAt: null, appliedAt: null }),
})
export type StatusAnswer = z.output<typeof statusAnswer>

const stepAnswer = z.object({ step: text, ok: z.boolean().nullable(), at: textOrNull, detail: text.catch('') })

const routerAnswer = z.object({
  name: text,
  entryPoints: texts,
  rule: textOrNull,
  priority: numberOrNull,
  service: text.catch(''),
  status: textOrNull,
  errors: texts,
})

/** An agent that has no chain to tell gives the row of the route alone. */
export const explanationAnswer = z.object({
  ...routeAnswer.shape,
  chain: z.array(stepAnswer).catch([]),
  timingsMs: z.record(z.string(), z.number()).nullable().catch(null),
  brokenAt: textOrNull,
  others: z.array(z.object({ verdict: text, message: text, origin: text })).catch([]),
  routers: z.array(routerAnswer).catch([]),
  routerCount: count,
  config: z.record(z.string(), z.unknown()).nullable().catch(null),
})
export type ExplanationAnswer = z.output<typeof explanationAnswer>

/** Of `POST /accept`: the hash that was accepted, by either name. */
export const acceptAnswer = z.union([
  z.object({ accepted: text }).transform(({ accepted }) => accepted),
  z.object({ hash: text }).transform(({ hash }) => hash),
])

/** Verdicts with which nobody has to do anything. */
export const isFine = (verdict: string): boolean => verdict === 'live' || verdict === 'pending'
