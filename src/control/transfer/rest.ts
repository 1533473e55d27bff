/** The chores of the host, for whoever has the scope admin everywhere. `fairlead control` calls them with the admin token. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { z } from 'zod'
import { LoginLink, NewEpoch } from '../../api/transfer.ts'
import { formatListen } from '../../lib/setting-types.ts'
import { fairleadVersion } from '../../lib/version.ts'
import { makeLoginLink } from '../access/login-link.ts'
import type { ControlConfig } from '../config.ts'
import type { ControlDeps } from '../deps.ts'
import { sendAnswer } from '../http/answer.ts'
import { type App, actorOf } from '../http/route.ts'
import { write } from '../http/write.ts'
import { settingsRules } from '../stranded.ts'
import { beginEpoch } from './epoch.ts'
import { exportAll } from './export.ts'

/** Where people open the console when nobody has named its address. */
export function consoleUrl({ publicUrl, listen, tls }: Pick<ControlConfig, 'publicUrl' | 'listen' | 'tls'>): string {
  return publicUrl ?? `${tls === null ? 'http' : 'https'}://${formatListen(listen)}`
}

/** A file of its own for each export: a client that reads slowly must not keep the database in one transaction. */
async function exportToFile(deps: ControlDeps, version: string): Promise<string> {
  const path = join(deps.config.state.directory, `.export-${randomUUID()}`)
  try {
    let file = createWriteStream(path, { mode: 0o600 })
    const end = async (): Promise<void> => {
      file.end()
      await finished(file)
    }
    await exportAll(
      deps.database,
      { exportedAt: new Date(deps.clock.now()), version },
      {
        async restart() {
          await end()
          file = createWriteStream(path, { mode: 0o600 })
        },
        async write(line) {
          if (!file.write(`${line}\n`)) await once(file, 'drain')
        },
      },
    )
    await end()
    return path
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

export function registerTransfer(app: App, deps: ControlDeps): void {
  const admin = { access: 'admin', global: true } as const

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
    async (request, reply) => {
      const { change, rested } = await deps.database.transaction(tx =>
        beginEpoch(tx, {
          pools: settingsRules(deps.config),
          actor: actorOf(request),
          requestId: request.id,
          reason: 'restore',
        }),
      )
      return reply.code(201).send({ epoch: change.epoch, revision: change.revision, restedPorts: rested })
    },
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
      const path = await exportToFile(deps, fairleadVersion())
      const file = createReadStream(path)
      file.once('close', () => void rm(path, { force: true }))
      return reply.type('application/x-ndjson').send(file)
    },
  )
}
