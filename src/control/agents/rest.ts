/** `POST /enrollment-tokens`, `POST /agent/enroll`, `GET /agent/expected-state`. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ExpectedStateDocument, ExpectedStateHeaders } from '../../api/agent.ts'
import { Enrolled, EnrollInput, EnrollmentToken, EnrollmentTokenInput } from '../../api/enrollment.ts'
import { makeId } from '../db/id.ts'
import type { ControlDeps } from '../deps.ts'
import { sendAnswer } from '../http/answer.ts'
import { headerValues } from '../http/headers.ts'
import type { App } from '../http/route.ts'
import { mutate, write } from '../http/write.ts'
import { readRoutes } from '../services/routes.ts'
import { nodeViewOf } from './authenticate.ts'
import { preferredWaitMs } from './document.ts'
import { createEnrollmentToken, enroll, makeEnrollmentToken } from './enroll.ts'
import { createExpectedState, type StateAnswer } from './expected-state.ts'
import { createNodeReader } from './node-reader.ts'
import { sendState } from './send-state.ts'
import { createSharedStates } from './shared-state.ts'

/** What is typed on the node. The address is the public one, or else the one by which the admin has reached us. */
const enrollCommand = (publicUrl: string | null, request: FastifyRequest, token: string): string =>
  `fairlead enroll --url ${publicUrl?.replace(/\/+$/, '') ?? `${request.protocol}://${request.host}`} --token ${token}`

/** Aborted when the caller is gone before it has its answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const leave = (): void => {
    if (!reply.raw.writableEnded) gone.abort(new Error('the caller is gone'))
  }
  // Who left while the signature was looked at has closed already, and would hold its place until the time is over.
  if (reply.raw.destroyed) leave()
  else reply.raw.once('close', leave)
  return gone.signal
}

export function registerAgents(app: App, deps: ControlDeps): void {
  const { database, clock, hub, config } = deps
  const stopping = new AbortController()
  const reader = createNodeReader(database, hub)
  const states = createSharedStates({ database, clock, readRoutes, signal: stopping.signal })
  const expectedState = createExpectedState({ database, clock, hub, reader, states })
  // Who is held gets an answer, so that the server can close.
  app.addHook('preClose', async () => hub.release())
  app.addHook('onClose', async () => stopping.abort(new Error('stopped')))

  app.post(
    '/enrollment-tokens',
    {
      config: { access: 'admin', global: true, problems: ['NODE_NAME_TAKEN'] },
      schema: {
        tags: ['nodes'],
        summary: 'Make a token with which one node can come in; it is shown this once',
        operationId: 'createEnrollmentToken',
        body: EnrollmentTokenInput,
        response: { 201: EnrollmentToken },
      },
    },
    async (request, reply) => {
      const token = makeEnrollmentToken()
      const answer = await write(deps, request, {}, async mutation => {
        const { id, expiresAt } = await createEnrollmentToken(mutation, request.body, token)
        const body: EnrollmentToken = {
          id,
          token,
          command: enrollCommand(config.publicUrl, request, token),
          nodeName: request.body.nodeName ?? null,
          expiresAt: expiresAt.toISOString(),
        }
        return { status: 201, body, secret: true }
      })
      return sendAnswer(reply, answer)
    },
  )

  app.post(
    '/agent/enroll',
    {
      config: {
        access: 'public',
        guessable: true,
        anyHost: true,
        problems: ['ENROLLMENT_TOKEN_INVALID', 'NODE_NAME_TAKEN', 'NODE_NAME_OTHER', 'NODE_KEY_TAKEN'],
      },
      schema: {
        tags: ['agents'],
        summary: 'Come in as a node, with a token that works once',
        operationId: 'enroll',
        body: EnrollInput,
        response: { 201: Enrolled },
      },
    },
    async (request, reply) => {
      const nodeId = makeId('srv', { now: clock.now })
      const actor = {
        kind: 'node',
        id: nodeId,
        name: request.body.name,
        scopes: new Set<never>(),
        projectId: null,
      } as const
      const answer = await mutate(deps, { actor, requestId: request.id }, async mutation => {
        const context = { controlPlaneId: database.controlPlaneId, nodeId }
        const { enrolled, unchanged } = await enroll(mutation, request.body, context)
        return { status: 201, body: enrolled, unchanged }
      })
      return sendAnswer(reply, answer)
    },
  )

  app.get(
    '/agent/expected-state',
    {
      config: {
        access: 'node',
        held: true,
        problems: ['SIGNATURE_INVALID', 'CLOCK_SKEW', 'NODE_REVOKED', 'NODE_RETIRED'],
      },
      schema: {
        tags: ['agents'],
        summary: 'What the node is to serve; held until there is something new',
        operationId: 'getExpectedState',
        headers: ExpectedStateHeaders,
        response: { 200: ExpectedStateDocument, 304: z.null().meta({ description: 'Nothing is new.' }) },
      },
    },
    async (request, reply) => {
      const waitMs = preferredWaitMs(headerValues(request.raw, 'prefer'))
      if (waitMs !== null) reply.header('preference-applied', 'wait')
      const signal = goneSignal(reply)
      const view = nodeViewOf(request)
      const ifNoneMatch = headerValues(request.raw, 'if-none-match').join(',') || undefined
      let answer: StateAnswer
      try {
        answer = await expectedState.ask({ view, ifNoneMatch, waitMs: waitMs ?? 0, signal })
      } catch (error) {
        if (!signal.aborted) throw error
        return reply.hijack()
      }
      return sendState(request, reply, answer)
    },
  )
}
