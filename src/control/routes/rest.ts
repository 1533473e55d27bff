/** Routes over HTTP: what became of each, on which node, since when, and how that is known. */
import { z } from 'zod'
import { ResourceId } from '../../api/id.ts'
import { Overview } from '../../api/overview.ts'
import { MAX_PAGE, PageQuery } from '../../api/page.ts'
import { ProbeRequest, ROUTE_ROW_FIELDS, Route, RoutePage, VerdictHistory } from '../../api/route.ts'
import { protocolSchema, routeVerdictSchema } from '../../api/verdict.ts'
import type { ControlDeps } from '../deps.ts'
import { sendAnswer } from '../http/answer.ts'
import { type App, actorOf } from '../http/route.ts'
import { read, write } from '../http/write.ts'
import { showRoute } from './detail.ts'
import { routeHistory } from './history.ts'
import { listRoutes } from './list.ts'
import { showOverview } from './overview.ts'
import { requestProbe } from './probe.ts'

const id = ResourceId
const RouteId = z.object({ id: ResourceId })

/** `a,b` */
const listOf = <T extends z.ZodType>(word: T) =>
  z.preprocess(
    text => (typeof text === 'string' ? text.split(',').map(part => part.trim()) : text),
    z.array(word).max(20),
  )

/** Slim rows are small, and a console wants all of them. */
const MAX_ROWS = 10_000

const RouteListQuery = z
  .object({
    limit: z.coerce.number().int().min(1).max(MAX_ROWS).default(MAX_PAGE),
    cursor: PageQuery.shape.cursor,
    verdict: listOf(routeVerdictSchema).optional().meta({ description: 'One or several, by commas.' }),
    node: id.optional().meta({ description: 'The verdict of this node, instead of the worst of all.' }),
    protocol: protocolSchema.optional(),
    project: id.optional(),
    q: z
      .string()
      .max(200)
      .refine(text => !text.includes('\0'), 'holds a zero byte')
      .optional()
      .meta({ description: 'Found in names, hosts, ports, upstream addresses.' }),
    fields: listOf(z.enum(ROUTE_ROW_FIELDS)).optional().meta({ description: 'Only these fields, by commas.' }),
  })
  .meta({ id: 'RouteListQuery' })

const HistoryQuery = PageQuery.extend({ node: id.optional() }).meta({ id: 'HistoryQuery' })

export function registerRoutes(app: App, deps: ControlDeps): void {
  const { publicHost } = deps.config

  app.get(
    '/overview',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getOverview',
        tags: ['routes'],
        summary: 'How things stand, what needs somebody, what changed last',
        response: { 200: Overview },
      },
    },
    request => read(deps, tx => showOverview(tx, actorOf(request), deps)),
  )

  app.get(
    '/routes',
    {
      config: { access: 'read', problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'listRoutes',
        tags: ['routes'],
        summary: 'What became of the routes',
        querystring: RouteListQuery,
        response: { 200: RoutePage },
      },
    },
    request => {
      const { project, ...query } = request.query
      return read(deps, tx => listRoutes(tx, actorOf(request), { ...query, projectId: project }, publicHost))
    },
  )

  app.get(
    '/routes/:id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getRoute',
        tags: ['routes'],
        summary: 'One route, on each node',
        params: RouteId,
        response: { 200: Route },
      },
    },
    request => read(deps, tx => showRoute(tx, actorOf(request), request.params.id, publicHost)),
  )

  app.get(
    '/routes/:id/history',
    {
      config: { access: 'read', problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'getRouteHistory',
        tags: ['routes'],
        summary: 'The verdicts of a route over time',
        params: RouteId,
        querystring: HistoryQuery,
        response: { 200: VerdictHistory },
      },
    },
    request => read(deps, tx => routeHistory(tx, actorOf(request), request.params.id, request.query)),
  )

  app.post(
    '/routes/:id/probe',
    {
      config: { access: 'write' },
      schema: {
        operationId: 'probeRoute',
        tags: ['routes'],
        summary: 'Have every node ask through the port, now',
        params: RouteId,
        response: { 202: ProbeRequest },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => ({
        status: 202,
        body: await requestProbe(m, request.params.id),
      }))
      return sendAnswer(reply, answer)
    },
  )
}
