/** `POST /agent/status` as it may come: the schema of a StatusReport, and what of it goes into the database. */
import { z } from 'zod'
import { VERDICTS } from '../../core/verdict.ts'

export const MAX_ROWS = 20_000
/** Below this all text of an agent lies by far; it is a fence, not a format. */
const text = z.string().max(10_000)
/** A zero byte has no place in a text of the database. */
const shortText = z
  .string()
  .max(300)
  .regex(/^[^\0]*$/)
/** What an integer of the database holds. */
const count = z.int().min(0).max(2_147_483_647)
/** RFC 3339 with an offset or `Z`; kept as milliseconds since 1970. */
const moment = z.iso.datetime({ offset: true })
const revisionLabel = z.union([z.int().min(0), z.string().max(200)])
const revision = revisionLabel.nullable()
const id = shortText.min(1)
const protocol = z.enum(['http', 'tcp', 'udp'])

const step = z.object({
  step: shortText,
  ok: z.boolean().nullable(),
  at: moment.nullable(),
  detail: text,
  requestId: shortText.optional(),
})

const reportedVerdict = z.object({
  id,
  protocol,
  verdict: z.enum(VERDICTS),
  /** A newer agent may know more reasons than we do. */
  reason: z.string().regex(/^[A-Z][A-Z0-9_]{0,60}$/),
  message: text,
  remedy: text,
  revision: revisionLabel,
  since: moment,
  chain: z.array(step).max(20).optional(),
  timingsMs: z.record(z.string().max(60), z.number().min(0)).optional(),
  served: z.object({ router: z.unknown(), service: z.unknown() }).optional(),
})

const counts = z.object({
  live: count,
  pending: count,
  rejected: count,
  refused: count,
  conflicted: count,
  waiting: count,
  degraded: count,
  held: count,
})

export const StatusReportBody = z
  .object({
    schema: z.literal(1),
    controlPlaneId: z.string().max(200).nullable(),
    epoch: count.nullable(),
    revision: z.object({ expected: revision, served: revision, applied: revision }),
    reportSeq: z.int().min(1),
    full: z.boolean(),
    agentVersion: shortText,
    traefik: z.object({
      state: z.enum(['verified', 'unverified', 'down', 'never-polled']),
      version: shortText.nullable(),
      startedAt: moment.nullable(),
      lastPollAt: moment.nullable(),
    }),
    entryPoints: z
      .array(z.object({ name: shortText, address: shortText, protocol: z.enum(['tcp', 'udp']) }))
      .max(70_000)
      .nullable()
      .optional(),
    counts,
    verdicts: z.array(reportedVerdict).max(MAX_ROWS),
    gone: z.array(id).max(200_000),
    held: z.object({ hash: z.string().max(200), removals: z.array(id).max(MAX_ROWS) }).nullable(),
    drift: z.object({ missing: count, extra: count, different: count, disabled: count }),
    openConnections: z.record(id, count),
  })
  .meta({ id: 'StatusReport', description: 'docs/contract.md says what each part means.' })

export type ReportBody = z.infer<typeof StatusReportBody>

/** The head of a report: what `node_status.report` holds. */
export const ReportHead = StatusReportBody.pick({
  controlPlaneId: true,
  epoch: true,
  revision: true,
  agentVersion: true,
  traefik: true,
  counts: true,
  held: true,
  drift: true,
})
export type ReportHead = z.infer<typeof ReportHead>

/**
 * JSON that PostgreSQL takes: it knows no zero byte and no half of a surrogate pair, and one of them in a text of Traefik's would cost the
 * whole report, again and again. Both become U+FFFD.
 */
export const databaseJson = (value: unknown): string =>
  JSON.stringify(value).replace(/\\\\|\\u(?:0000|d[89a-f][0-9a-f]{2})/g, found =>
    found === '\\\\' ? found : String.raw`\ufffd`,
  )
