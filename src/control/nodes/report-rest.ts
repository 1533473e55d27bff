/** `POST /agent/status`: what a node says of itself. */
import { z } from 'zod'
import type { ControlDeps } from '../deps.ts'
import { ApiError } from '../http/api-error.ts'
import { type App, actorOf } from '../http/route.ts'
import { StatusReportBody } from './report-wire.ts'
import { takeReport } from './take-report.ts'

/** An agent reports once a second at most; what comes faster is held off before it reaches the database. */
const REPORTS = { max: 30, timeWindow: 10_000 } as const

export function registerReports(app: App, { database, clock, logger }: ControlDeps): void {
  const limit = app.createRateLimit({ ...REPORTS, keyGenerator: request => `report:${actorOf(request).id}` })
  app.post(
    '/agent/status',
    {
      config: { access: 'node', problems: ['REPORT_GAP', 'REPORT_NOT_OURS', 'NODE_RETIRED'] },
      schema: {
        operationId: 'reportStatus',
        tags: ['agents'],
        summary: 'What became of the routes of a node',
        body: StatusReportBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const node = actorOf(request)
      const found = await limit(request)
      if (!found.isAllowed && found.isExceeded)
        throw new ApiError('RATE_LIMITED', `more than ${found.max} reports in 10 s`, {
          headers: { 'retry-after': String(found.ttlInSeconds) },
        })
      const sentAt = Number(request.headers['x-timestamp'])
      const report = {
        nodeId: node.id,
        body: request.body,
        sentAtMs: Number.isSafeInteger(sentAt) && sentAt > 0 ? sentAt : null,
        receivedAtMs: clock.now() - reply.elapsedTime,
        requestId: request.id,
      }
      const result = await database.transaction(tx => takeReport(tx, report, database.controlPlaneId))
      switch (result.kind) {
        case 'taken':
          reply.code(204)
          return null
        case 'full':
          logger.debug({ nodeId: node.id, why: result.why }, 'full report asked for')
          throw new ApiError('REPORT_GAP', result.why)
        case 'foreign':
          throw new ApiError('REPORT_NOT_OURS', `the report is for ${request.body.controlPlaneId}`)
        case 'retired':
          throw new ApiError('NODE_RETIRED', `node ${node.name} was retired`)
        default:
          return result satisfies never
      }
    },
  )
}
