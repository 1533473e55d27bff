/** The pools over HTTP: what is free, whose the rest is, and what an admin does with a number. */
import { z } from 'zod'
import { FreeInput, L4Protocol, PoolList, PoolPort, PoolPortParams, PoolPorts, ReserveInput } from '../../api/pool.ts'
import type { ControlDeps } from '../deps.ts'
import { sendAnswer } from '../http/answer.ts'
import { type App, actorOf } from '../http/route.ts'
import { type Mutation, read, write } from '../http/write.ts'
import { freeNumber, type Place, readPoolPorts, readPools, reserveNumber, unreserveNumber } from './pools.ts'

const PoolParams = z.object({ protocol: L4Protocol })

export function registerPools(app: App, deps: ControlDeps): void {
  app.get(
    '/pools',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listPools',
        tags: ['pools'],
        summary: 'How the numbers of each protocol are spread',
        response: { 200: PoolList },
      },
    },
    async () => ({ items: await read(deps, tx => readPools(tx, deps)) }),
  )
  app.get(
    '/pools/:protocol/ports',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listPoolPorts',
        tags: ['pools'],
        summary: 'Every number of a protocol: its state, its owner, what it waits for',
        params: PoolParams,
        response: { 200: PoolPorts },
      },
    },
    async request => ({
      items: await read(deps, tx => readPoolPorts(tx, actorOf(request), request.params.protocol, deps)),
      nextCursor: null,
    }),
  )
  app.post(
    '/pools/:protocol/ports/:number/free',
    {
      config: { access: 'admin', global: true, problems: ['CONFLICT', 'PORT_OUT_OF_RANGE'] },
      schema: {
        operationId: 'freePort',
        tags: ['pools'],
        summary: 'End the rest of a number now: old clients may reach its next owner',
        params: PoolPortParams,
        body: FreeInput.nullish(),
        response: { 200: PoolPort },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => freeNumber(m, deps, request.params, request.body?.host ?? '')
      return sendAnswer(reply, await write(deps, request, {}, async m => ({ status: 200, body: await work(m) })))
    },
  )
  app.post(
    '/pools/:protocol/ports/:number/reserve',
    {
      config: { access: 'admin', global: true, problems: ['PORT_TAKEN', 'PORT_SHARED', 'PORT_OUT_OF_RANGE'] },
      schema: {
        operationId: 'reservePort',
        tags: ['pools'],
        summary: 'Keep a number from being handed out',
        params: PoolPortParams,
        body: ReserveInput.nullish(),
        response: { 200: PoolPort },
      },
    },
    async (request, reply) => {
      const work = (m: Mutation) => reserveNumber(m, deps, request.params, request.body?.note ?? null)
      return sendAnswer(reply, await write(deps, request, {}, async m => ({ status: 200, body: await work(m) })))
    },
  )
  app.post(
    '/pools/:protocol/ports/:number/unreserve',
    {
      config: { access: 'admin', global: true, problems: ['CONFLICT', 'PORT_OUT_OF_RANGE'] },
      schema: {
        operationId: 'unreservePort',
        tags: ['pools'],
        summary: 'Give a reserved number back to the pool',
        params: PoolPortParams,
        response: { 200: PoolPort },
      },
    },
    async (request, reply) => {
      const place: Place = request.params
      const work = async (m: Mutation) => ({ status: 200, body: await unreserveNumber(m, deps, place) })
      return sendAnswer(reply, await write(deps, request, {}, work))
    },
  )
}
