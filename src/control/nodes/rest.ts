/** Nodes over HTTP: `POST /agent/status`, and what people see of nodes and do to them. They belong to no project. */
import { z } from 'zod'
import { ResourceId } from '../../api/id.ts'
import { AcceptHeld, Node, NodePage, NodePatch, Retirement, RetireNode } from '../../api/node.ts'
import { PageQuery } from '../../api/page.ts'
import type { ControlDeps } from '../deps.ts'
import { type Answer, etagOf, sendAnswer } from '../http/answer.ts'
import type { App } from '../http/route.ts'
import { read, write } from '../http/write.ts'
import { type Acted, acceptHeld, deleteNode, renameNode, retireNode, revokeNode } from './act.ts'
import { registerReports } from './report-rest.ts'
import { listNodes, showNode } from './view.ts'

const NodeId = z.object({ id: ResourceId })

const DryRun = z.object({ dryRun: z.stringbool().default(false) })

const answerOf = ({ node, unchanged }: Acted): Answer => ({
  status: 200,
  body: node,
  etag: etagOf(node.version),
  unchanged,
})

export function registerNodes(app: App, deps: ControlDeps): void {
  const { config } = deps
  registerReports(app, deps)

  app.get(
    '/nodes',
    {
      config: { access: 'read', global: true, problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'listNodes',
        tags: ['nodes'],
        summary: 'The proxy nodes, and how they are',
        querystring: PageQuery,
        response: { 200: NodePage },
      },
    },
    request => read(deps, tx => listNodes(tx, request.query)),
  )

  app.get(
    '/nodes/:id',
    {
      config: { access: 'read', global: true },
      schema: { operationId: 'getNode', tags: ['nodes'], summary: 'One node', params: NodeId, response: { 200: Node } },
    },
    async (request, reply) => {
      const node = await read(deps, tx => showNode(tx, request.params.id))
      reply.header('etag', etagOf(node.version))
      return node
    },
  )

  app.patch(
    '/nodes/:id',
    {
      config: { access: 'admin', global: true, problems: ['NODE_NAME_TAKEN'] },
      schema: {
        operationId: 'changeNode',
        tags: ['nodes'],
        summary: 'Give a node another name',
        params: NodeId,
        body: NodePatch,
        response: { 200: Node },
      },
    },
    async (request, reply) =>
      sendAnswer(
        reply,
        await write(deps, request, {}, async m => answerOf(await renameNode(m, request.params.id, request.body.name))),
      ),
  )

  app.post(
    '/nodes/:id/revoke',
    {
      config: { access: 'admin', global: true },
      schema: {
        operationId: 'revokeNode',
        tags: ['nodes'],
        summary: 'Take its key no more; it serves on what it has',
        params: NodeId,
        response: { 200: Node },
      },
    },
    async (request, reply) =>
      sendAnswer(reply, await write(deps, request, {}, async m => answerOf(await revokeNode(m, request.params.id)))),
  )

  app.post(
    '/nodes/:id/accept',
    {
      config: { access: 'admin', global: true, problems: ['HELD_STATE_OTHER'] },
      schema: {
        operationId: 'acceptHeldState',
        tags: ['nodes'],
        summary: 'Accept the removals that the guard of the node holds back',
        params: NodeId,
        body: AcceptHeld,
        response: { 200: Node },
      },
    },
    async (request, reply) =>
      sendAnswer(
        reply,
        await write(deps, request, {}, async m => answerOf(await acceptHeld(m, request.params.id, request.body.hash))),
      ),
  )

  app.post(
    '/nodes/:id/retire',
    {
      config: { access: 'admin', global: true },
      schema: {
        operationId: 'retireNode',
        tags: ['nodes'],
        summary: 'Count a node no more, for ever; says what that risks',
        params: NodeId,
        querystring: DryRun,
        body: RetireNode,
        response: { 200: Retirement },
      },
    },
    async (request, reply) => {
      const { params, body, query } = request
      const answer = await write(deps, request, query, async m => {
        const { unchanged, ...retirement } = await retireNode(m, params.id, body.confirm, config.release)
        return { status: 200, body: retirement, etag: etagOf(retirement.node.version), unchanged }
      })
      return sendAnswer(reply, answer)
    },
  )

  app.delete(
    '/nodes/:id',
    {
      config: { access: 'admin', global: true, problems: ['NODE_NOT_RETIRED'] },
      schema: {
        operationId: 'deleteNode',
        tags: ['nodes'],
        summary: 'Forget a retired node',
        params: NodeId,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => {
        await deleteNode(m, request.params.id)
        return { status: 204, body: null }
      })
      return sendAnswer(reply, answer)
    },
  )
}
