/** Projects over HTTP. Whoever reaches one project alone sees that, and changes none. */
import { z } from 'zod'
import { ResourceId } from '../../api/id.ts'
import { Project, ProjectInput, ProjectPage, ProjectPatch, ProjectQuery } from '../../api/project.ts'
import type { ControlDeps } from '../deps.ts'
import { etagOf, sendAnswer } from '../http/answer.ts'
import { type App, actorOf } from '../http/route.ts'
import { read, write } from '../http/write.ts'
import { createProject, deleteProject, listProjects, patchProject, readProject } from './projects.ts'

const ProjectParams = z.object({ id: ResourceId })

export function registerProjects(app: App, deps: ControlDeps): void {
  app.get(
    '/projects',
    {
      config: { access: 'read', problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'listProjects',
        tags: ['projects'],
        summary: 'Projects, by name',
        querystring: ProjectQuery,
        response: { 200: ProjectPage },
      },
    },
    request => read(deps, tx => listProjects(tx, actorOf(request), request.query)),
  )
  app.get(
    '/projects/:id',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getProject',
        tags: ['projects'],
        summary: 'One project',
        params: ProjectParams,
        response: { 200: Project },
      },
    },
    async (request, reply) => {
      const project = await read(deps, tx => readProject(tx, actorOf(request), request.params.id))
      reply.header('etag', etagOf(project.version))
      return project
    },
  )
  app.post(
    '/projects',
    {
      config: { access: 'admin', global: true, problems: ['NAME_TAKEN'] },
      schema: {
        operationId: 'createProject',
        tags: ['projects'],
        summary: 'Make a project',
        body: ProjectInput,
        response: { 201: Project },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => {
        const project = await createProject(m, deps, request.body)
        return { status: 201, body: project, etag: etagOf(project.version) }
      })
      return sendAnswer(reply, answer)
    },
  )
  app.patch(
    '/projects/:id',
    {
      config: { access: 'admin', global: true, problems: ['NAME_TAKEN', 'STALE'] },
      schema: {
        operationId: 'patchProject',
        tags: ['projects'],
        summary: 'Change the name of a project, or how many ports and domains it may have',
        params: ProjectParams,
        body: ProjectPatch,
        response: { 200: Project },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => {
        const { project, unchanged } = await patchProject(m, request.params.id, request.body)
        return { status: 200, body: project, etag: etagOf(project.version), unchanged }
      })
      return sendAnswer(reply, answer)
    },
  )
  app.delete(
    '/projects/:id',
    {
      config: { access: 'admin', global: true, problems: ['PROJECT_IN_USE', 'STALE'] },
      schema: {
        operationId: 'deleteProject',
        tags: ['projects'],
        summary: 'Delete an empty project, and its API tokens',
        params: ProjectParams,
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => {
        await deleteProject(m, request.params.id)
        return { status: 204, body: null }
      })
      return sendAnswer(reply, answer)
    },
  )
}
