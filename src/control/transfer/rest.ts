/** The chores of the host, for whoever has the scope admin everywhere. `fairlead control` calls them with the admin token. */
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { z } from 'zod'
import { LoginLink, NewEpoch } from '../../api/transfer.ts'
import { formatListen } from '../../lib/setting-types.ts'
import { fairleadVersion } from '../../lib/version.ts'
import { makeLoginLink } from '../access/login-link.ts'
import type { ControlConfig } from '../config.ts'
import type { ControlDeps } from '../deps.ts'
import { sendAnswer } from '../http/answer.ts'
import type { App } from '../http/route.ts'
import { write } from '../http/write.ts'
import { settingsRules } from '../stranded.ts'
import { restAll } from './epoch.ts'
import { exportPath, exportToFile, removeOldExports } from './file.ts'

/** Where people open the console when nobody has named its address. */
export function consoleUrl({ publicUrl, listen, tls }: Pick<ControlConfig, 'publicUrl' | 'listen' | 'tls'>): string {
  return publicUrl ?? `${tls === null ? 'http' : 'https'}://${formatListen(listen)}`
}

export function registerTransfer(app: App, deps: ControlDeps): void {
  const admin = { access: 'admin', global: true } as const
  app.addHook('onReady', () => removeOldExports(deps.config.state.directory))

  app.post(
    '/login-links',
    {
      config: admin,
      schema: {
        tags: ['control'],
        summary: 'A one-time link to the console',
        operationId: 'createLoginLink',
        response: { 201: LoginLink },
      },
    },
    async (request, reply) =>
      sendAnswer(
        reply,
        await write(deps, request, {}, async m => {
          const { url, expiresAt } = await makeLoginLink(m, consoleUrl(deps.config))
          return { status: 201, body: { url, expiresAt: expiresAt.toISOString() }, secret: true }
        }),
      ),
  )

  app.post(
    '/epoch',
    {
      config: admin,
      schema: {
        tags: ['control'],
        summary: 'Begin a new epoch, after a restore',
        operationId: 'raiseEpoch',
        response: { 201: NewEpoch },
      },
    },
    async (request, reply) =>
      sendAnswer(
        reply,
        await write(deps, request, {}, async m => {
          const change = await m.newEpoch()
          const { rested, entry } = await restAll(change, { pools: settingsRules(deps.config), reason: 'restore' })
          await m.audit(entry)
          return { status: 201, body: { epoch: change.epoch, revision: change.revision, restedPorts: rested } }
        }),
      ),
  )

  app.get(
    '/export',
    {
      config: admin,
      schema: {
        tags: ['control'],
        summary: 'Everything, as lines of JSON',
        operationId: 'exportAll',
        response: {
          200: {
            description: 'One JSON document a line.',
            content: { 'application/x-ndjson': { schema: z.unknown() } },
          },
        },
      },
    },
    async (_request, reply) => {
      const path = exportPath(deps.config.state.directory)
      await exportToFile(deps, fairleadVersion(), path)
      const file = createReadStream(path)
      file.once('close', () => void rm(path, { force: true }))
      return reply.type('application/x-ndjson').send(file)
    },
  )
}
