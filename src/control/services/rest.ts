/** Projects, services, their endpoints and ports over HTTP. */
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ResourceId } from '../../api/id.ts'
import { DryRunQuery, Plan, type PlanChange } from '../../api/plan.ts'
import { Deleted, Port, PortChanged, PortInput, PortPatch } from '../../api/port.ts'
import type { ProblemCode } from '../../api/problem-codes.ts'
import {
  EndpointList,
  PresetList,
  Service,
  ServiceChanged,
  ServiceInput,
  ServicePage,
  ServicePatch,
  ServiceQuery,
} from '../../api/service.ts'
import { isRecord } from '../../core/refusal.ts'
import type { ControlDeps } from '../deps.ts'
import { type Answer, etagOf, sendAnswer } from '../http/answer.ts'
import { toApiError } from '../http/problems.ts'
import { type App, actorOf } from '../http/route.ts'
import { type Mutation, read, write } from '../http/write.ts'
import { exampleCommands } from './connect.ts'
import { listServices } from './list.ts'
import { createPort, deletePort, patchPort, type Written } from './ports.ts'
import { PRESETS } from './preset.ts'
import { findPort, findService } from './rows.ts'
import { createService, deleteService, patchService, putEndpoints } from './services.ts'
import { readPortView, readServiceView } from './view.ts'

const ServiceParams = z.object({ id: ResourceId })
const PortParams = z.object({ id: ResourceId, portId: ResourceId })

/** What a write of a port may be refused for, beyond what is wrong in itself. */
const PLACE_PROBLEMS = [
  'PORT_TAKEN',
  'PORT_RESERVED',
  'PORT_UNDECLARED',
  'PORT_SHARED',
  'PORT_NOT_SHARED',
  'PORT_OUT_OF_RANGE',
  'POOL_EXHAUSTED',
  'QUOTA_EXCEEDED',
  'SNI_TAKEN',
  'DOMAIN_TAKEN',
] as const satisfies readonly ProblemCode[]

/** Refusals that a plan tells as its problems. What the request itself lacks (a right, the thing, its version) stays an error. */
function toPlan(error: unknown): Plan | null {
  const known = toApiError(error)
  if (known === null || (known.status !== 422 && known.status !== 409)) return null
  const { code, message, remedy } = known
  return { changes: [], problems: [...(known.fields ?? [{ field: '', code, message, remedy }])] }
}

type Versioned = { readonly version: number }

/** After a bad body the query has not been read yet, and is as it came. */
function wantsPlan(query: unknown): boolean {
  const wish = isRecord(query) ? query.dryRun : undefined
  return wish === true || wish === 'true'
}

/** Runs a write, or tells what it would do. */
async function run<T>(
  deps: ControlDeps,
  request: FastifyRequest,
  status: number,
  work: (m: Mutation) => Promise<Written<T>>,
  versionOf: (value: T) => Versioned | null,
): Promise<Answer> {
  if (wantsPlan(request.query)) return plan(deps, request, work)
  // With `attachValidation` a bad body comes through to here.
  if (request.validationError !== undefined) throw request.validationError
  return write(deps, request, {}, async m => {
    const { value, unchanged = false } = await work(m)
    const versioned = versionOf(value)
    return { status, body: value, unchanged, ...(versioned === null ? {} : { etag: etagOf(versioned.version) }) }
  })
}

async function plan<T>(
  deps: ControlDeps,
  request: FastifyRequest,
  work: (m: Mutation) => Promise<Written<T>>,
): Promise<Answer> {
  const answer = (changes: readonly PlanChange[]): Answer => ({ status: 200, body: { changes, problems: [] } })
  try {
    if (request.validationError !== undefined) throw request.validationError
    return await write(deps, request, { dryRun: true }, async m => answer((await work(m)).changes))
  } catch (error) {
    const refused = toPlan(error)
    if (refused === null) throw error
    return { status: 200, body: refused }
  }
}

const itself = <T extends Versioned>(value: T): Versioned => value
const none = (): null => null

export function registerServices(app: App, deps: ControlDeps): void {
  const { publicHost } = deps.config
  registerServiceReads(app, deps)
  registerPorts(app, deps)

  app.post(
    '/services',
    {
      attachValidation: true,
      config: { access: 'write', problems: ['NAME_TAKEN', ...PLACE_PROBLEMS] },
      schema: {
        operationId: 'createService',
        tags: ['services'],
        summary: 'Make a service with its endpoints and ports, all or nothing',
        querystring: DryRunQuery,
        body: ServiceInput,
        response: { 201: Service, 200: Plan },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => createService(m, deps, request.body)
      return sendAnswer(reply, await run(deps, request, 201, work, itself))
    },
  )
  app.patch(
    '/services/:id',
    {
      attachValidation: true,
      config: { access: 'write', problems: ['NAME_TAKEN', 'STALE'] },
      schema: {
        operationId: 'patchService',
        tags: ['services'],
        summary: 'Change the name of a service, or what it speaks',
        params: ServiceParams,
        querystring: DryRunQuery,
        body: ServicePatch,
        response: { 200: z.union([Service, Plan]) },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => patchService(m, deps, request.params.id, request.body)
      return sendAnswer(reply, await run(deps, request, 200, work, itself))
    },
  )
  app.put(
    '/services/:id/endpoints',
    {
      attachValidation: true,
      config: { access: 'write', problems: ['STALE'] },
      schema: {
        operationId: 'putEndpoints',
        tags: ['services'],
        summary: 'Say where a service answers: the whole list',
        params: ServiceParams,
        querystring: DryRunQuery,
        body: EndpointList,
        response: { 200: z.union([ServiceChanged, Plan]) },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => putEndpoints(m, deps, request.params.id, request.body)
      return sendAnswer(reply, await run(deps, request, 200, work, itself))
    },
  )
  app.delete(
    '/services/:id',
    {
      config: { access: 'write', problems: ['STALE'] },
      schema: {
        operationId: 'deleteService',
        tags: ['services'],
        summary: 'Delete a service and release all that its ports have',
        params: ServiceParams,
        querystring: DryRunQuery,
        response: { 200: z.union([Deleted, Plan]) },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => deleteService(m, deps, request.params.id)
      return sendAnswer(reply, await run(deps, request, 200, work, none))
    },
  )
  app.get(
    '/presets',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listPresets',
        tags: ['services'],
        summary: 'Kinds of services, with what each brings along',
        response: { 200: PresetList },
      },
    },
    async () => ({ items: PRESETS.map(facts => ({ ...facts, connect: exampleCommands(facts.id, publicHost) })) }),
  )
}

function registerServiceReads(app: App, deps: ControlDeps): void {
  const { publicHost } = deps.config
  app.get(
    '/services',
    {
      config: { access: 'read', problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'listServices',
        tags: ['services'],
        summary: 'Services, by name',
        querystring: ServiceQuery,
        response: { 200: ServicePage },
      },
    },
    request => read(deps, tx => listServices(tx, actorOf(request), request.query, publicHost)),
  )
  app.get(
    '/services/:id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getService',
        tags: ['services'],
        summary: 'One service with its endpoints and ports',
        params: ServiceParams,
        response: { 200: Service },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const service = await read(deps, async tx =>
        readServiceView(tx, await findService(tx, actorOf(request), id), publicHost),
      )
      reply.header('etag', etagOf(service.version))
      return service
    },
  )
}

function registerPorts(app: App, deps: ControlDeps): void {
  const { publicHost } = deps.config
  app.post(
    '/services/:id/ports',
    {
      attachValidation: true,
      config: { access: 'write', problems: PLACE_PROBLEMS },
      schema: {
        operationId: 'createPort',
        tags: ['ports'],
        summary: 'Make a port, and claim its public place',
        params: ServiceParams,
        querystring: DryRunQuery,
        body: PortInput,
        response: { 201: Port, 200: Plan },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => createPort(m, deps, request.params.id, request.body)
      return sendAnswer(reply, await run(deps, request, 201, work, itself))
    },
  )
  app.get(
    '/services/:id/ports/:portId',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getPort',
        tags: ['ports'],
        summary: 'One port, with its address and how clients reach it',
        params: PortParams,
        response: { 200: Port },
      },
    },
    async (request, reply) => {
      const { id, portId } = request.params
      const found = await read(deps, async tx => {
        const { service, port } = await findPort(tx, actorOf(request), id, portId)
        return readPortView(tx, port, service, publicHost)
      })
      reply.header('etag', etagOf(found.version))
      return found
    },
  )
  app.patch(
    '/services/:id/ports/:portId',
    {
      attachValidation: true,
      config: { access: 'write', problems: ['STALE', ...PLACE_PROBLEMS] },
      schema: {
        operationId: 'patchPort',
        tags: ['ports'],
        summary: 'Change a port; what it gives back and what it claims happen together',
        params: PortParams,
        querystring: DryRunQuery,
        body: PortPatch,
        response: { 200: z.union([PortChanged, Plan]) },
      },
    },
    async (request, reply) => {
      const { id: serviceId, portId } = request.params
      const work = (m: Mutation) => patchPort(m, deps, { serviceId, portId }, request.body)
      return sendAnswer(reply, await run(deps, request, 200, work, itself))
    },
  )
  app.delete(
    '/services/:id/ports/:portId',
    {
      config: { access: 'write', problems: ['STALE'] },
      schema: {
        operationId: 'deletePort',
        tags: ['ports'],
        summary: 'Delete a port and release what it has',
        params: PortParams,
        querystring: DryRunQuery,
        response: { 200: z.union([Deleted, Plan]) },
      },
    },
    async (request, reply) => {
      const { id: serviceId, portId } = request.params
      const work = (m: Mutation) => deletePort(m, deps, { serviceId, portId })
      return sendAnswer(reply, await run(deps, request, 200, work, none))
    },
  )
}
