/**
 * The control plane's HTTP server on a real embedded database in memory, without a socket.
 *
 *   const control = await controlApp()
 *   const made = await control.asAdmin('POST', '/projects', { name: 'shop' })
 *   const theirs = control.as(await control.tokenFor({ scopes: ['read'], projectId: made.json.id }))
 *   expect((await theirs('GET', '/services')).json).toEqual({ items: [], nextCursor: null })
 *
 * Every answer must be one that its route declares, and every refusal a problem document: whoever asks gets an error for any other.
 */
import type { InjectOptions } from 'fastify'
import { Registry } from 'prom-client'
import type { Scope } from '../../src/api/token.ts'
import { hashSecret, makeApiToken } from '../../src/control/access/secret.ts'
import { type ControlConfig, parseControlConfig } from '../../src/control/config.ts'
import type { Database } from '../../src/control/db/client.ts'
import { makeId } from '../../src/control/db/id.ts'
import { projects } from '../../src/control/db/schema.ts'
import { apiTokens } from '../../src/control/db/schema-access.ts'
import type { ControlDeps } from '../../src/control/deps.ts'
import { type AppOptions, createApp } from '../../src/control/http/app.ts'
import type { Access, App } from '../../src/control/http/route.ts'
import { createHub } from '../../src/control/hub.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { openMemoryDatabase, SILENT } from './database.ts'

/** The settings as they are without a file, changed by these lines of YAML. */
export function controlConfig(text: string | null = null): ControlConfig {
  const result = parseControlConfig({ text, fileName: 'control.yaml', env: {}, hostName: 'control' })
  if (!result.ok) throw new Error(result.faults.join('\n'))
  return result.config
}

export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>
  readonly text: string
  /** The body, when it is JSON; else null. */
  // biome-ignore lint/suspicious/noExplicitAny: tests compare it whole, or take what they know to be there
  readonly json: any
}

export type Ask = (
  method: NonNullable<InjectOptions['method']>,
  /** Below `/api/v1`, unless it begins with `//`: then from the root, with one stroke. */
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Reply>

export type ControlAppOptions = AppOptions & {
  /** Lines of YAML for the settings. */
  readonly settings?: string
  readonly deps?: Partial<ControlDeps>
}

export type ControlApp = {
  readonly app: App
  readonly deps: ControlDeps
  readonly database: Database
  /** Every route that is registered. */
  readonly routes: readonly { readonly method: string; readonly url: string; readonly access: Access }[]
  /** Without any credential. */
  readonly inject: Ask
  /** Of the host. */
  readonly adminToken: string
  /** With that token. */
  readonly asAdmin: Ask
  /** With this API token. */
  as(token: string): Ask
  /** Makes an API token, past the API. */
  tokenFor(options: { scopes: readonly Scope[]; projectId?: string | null; expiresAt?: Date }): Promise<string>
  /** Makes a project, past the API; resolves with its id. */
  project(name: string): Promise<string>
  close(): Promise<void>
}

export async function controlApp({
  settings,
  deps: given = {},
  ...options
}: ControlAppOptions = {}): Promise<ControlApp> {
  const database = given.database ?? (await openMemoryDatabase())
  const clock = given.clock ?? SYSTEM_CLOCK
  const logger = given.logger ?? SILENT
  const hub = given.hub ?? createHub({ database, clock, logger })
  hub.start()
  const adminToken = makeApiToken()
  const deps: ControlDeps = {
    config: controlConfig(settings),
    database,
    clock,
    logger,
    registry: new Registry(),
    hub,
    adminTokenHash: hashSecret(adminToken),
    ...given,
  }
  const app = createApp(deps, {
    ...options,
    // A test asks much in little time, on a machine that may be busy with others.
    limits: {
      perActor: 1_000_000,
      perAddress: 1_000_000,
      failuresPerMinute: 1_000_000,
      atOnce: 10_000,
      ...options.limits,
    },
    load: { maxLoopDelayMs: 1_000_000, ...options.load },
  })
  const undeclared: string[] = []
  const routes: { method: string; url: string; access: Access }[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const one of [method].flat()) routes.push({ method: one, url, access: config?.access ?? 'public' })
  })
  app.addHook('onSend', async (request, reply) => {
    const { schema, url } = request.routeOptions
    const type = String(reply.getHeader('content-type'))
    const what = `${request.method} ${url ?? request.url} answered ${reply.statusCode}`
    const declared = schema?.response
    if (typeof declared === 'object' && declared !== null && schema?.hide !== true && !(reply.statusCode in declared))
      undeclared.push(what)
    if (reply.statusCode >= 400 && type !== 'application/problem+json') undeclared.push(`${what} as ${type}`)
  })
  await app.ready()

  const askWith =
    (token: string | null): Ask =>
    async (method, path, body, headers = {}) => {
      const url = path.startsWith('//') ? path.slice(1) : `/api/v1${path}`
      const reply = await app.inject({
        method,
        url,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      if (undeclared.length > 0) throw new Error(`not declared: ${undeclared.splice(0).join('; ')}`)
      const isJson = /json/.test(String(reply.headers['content-type']))
      return {
        status: reply.statusCode,
        headers: reply.headers,
        text: reply.payload,
        json: isJson ? JSON.parse(reply.payload) : null,
      }
    }

  return {
    app,
    deps,
    database,
    routes,
    adminToken,
    inject: askWith(null),
    asAdmin: askWith(adminToken),
    as: askWith,
    async tokenFor({ scopes, projectId = null, expiresAt }) {
      const token = makeApiToken()
      const row = { id: makeId('tok'), name: `test ${scopes.join(' ')}`, tokenHash: hashSecret(token) }
      await database.transaction(tx =>
        tx
          .insert(apiTokens)
          .values({ ...row, scopes: [...scopes], projectId, createdBy: 'test', expiresAt: expiresAt ?? null }),
      )
      return token
    },
    async project(name) {
      const id = makeId('prj')
      await database.transaction(tx => tx.insert(projects).values({ id, name }))
      return id
    },
    async close() {
      hub.release()
      await app.close()
      await hub.stop()
      if (given.database === undefined) await database.close()
    },
  }
}
