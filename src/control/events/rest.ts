/** `GET /events`: server-sent events (text/event-stream). `Last-Event-ID` means nothing here: after a gap, whoever listens fetches again. */
import { z } from 'zod'
import type { ControlDeps } from '../deps.ts'
import { ApiError } from '../http/api-error.ts'
import { type App, actorOf } from '../http/route.ts'
import { createStreams, type StreamSettings } from './streams.ts'

export function registerEvents(app: App, deps: ControlDeps, settings: Partial<StreamSettings> = {}): void {
  const streams = createStreams({ ...deps, logger: deps.logger.child({ component: 'events' }), settings })
  app.addHook('preClose', async () => streams.close())

  app.get(
    '/events',
    {
      config: { access: 'read', held: true },
      schema: {
        operationId: 'streamEvents',
        tags: ['events'],
        summary: 'Hints of what changes: `change`, `verdict`, `node`, and `heartbeat` every five seconds',
        response: {
          200: {
            description: 'Each `data` is a ChangeEvent, VerdictEvent, NodeEvent or HeartbeatEvent, as `event` says.',
            content: { 'text/event-stream': { schema: z.string() } },
          },
        },
      },
    },
    (request, reply) => {
      if (!streams.mayOpen(actorOf(request)))
        throw new ApiError('RATE_LIMITED', 'too many event streams are open already', {
          remedy: 'Close one: a browser needs one for all of its tabs.',
          headers: { 'retry-after': '5' },
        })
      reply.headers({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        // Proxies that gather answers would hold back what has to be heard at once.
        'x-accel-buffering': 'no',
      })
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) reply.raw.setHeader(name, value)
      reply.raw.writeHead(200)
      streams.open(actorOf(request), reply.raw)
    },
  )
}
