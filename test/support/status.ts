/** Answers of an agent without one: `/status` as statusView makes it, served by a small real server. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type StatusInput, type StatusView, statusView } from '../../src/agent/admin/status-view.ts'
import type { ProviderStats } from '../../src/agent/provider/provider.ts'
import type { PublicationView } from '../../src/agent/publication.ts'
import type { Observation } from '../../src/agent/traefik/observer.ts'
import { NO_DRIFT } from '../../src/core/drift.ts'
import { NO_PLACE } from '../../src/core/route-place.ts'
import type { TrackedVerdict } from '../../src/core/track.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'
import { atEnd } from './at-end.ts'
import { ENTRY_POINTS } from './builders.ts'
import { tempFolder } from './temp-folder.ts'

/** The moment at which `runCli` runs. */
export const NOW = Date.parse('2026-11-23T00:00:00Z')

const PROVIDER: ProviderStats = {
  lastPollAt: NOW - 3_000,
  polls: 12,
  strangers: null,
  pollsByStatus: { 200: 12 },
  unauthorized: 0,
  tokenRefused: false,
  lastServedHash: 'a'.repeat(64),
  pollers: 1,
  pollGapMs: 100,
  openConnections: 1,
  held: 1,
  holdShortened: null,
  evicted: 0,
  slowReaders: 0,
}

const OBSERVATION: Observation = {
  reading: {
    version: '3.7.15',
    startedAt: new Date(NOW - 86_400_000).toISOString(),
    entryPoints: ENTRY_POINTS,
    providers: ['HTTP'],
    askedAtMs: 0,
    runtime: { foreignRouters: [], routers: [], services: [], beacons: [] },
  },
  readAt: NOW - 2_000,
  lookedAtMs: 0,
  answersSinceMs: 0,
  fault: null,
  settled: true,
  lastApplyMs: 41,
}

/** Of a body of which nobody has seen anything. */
export const NOTHING_YET: Pick<PublicationView, 'moments' | 'took'> = {
  moments: { servedAt: null, fetchedAt: null, appliedAt: null },
  took: null,
}

export const providerWith = (change: Partial<ProviderStats>): ProviderStats => ({ ...PROVIDER, ...change })
export const observationWith = (change: Partial<Observation>): Observation => ({ ...OBSERVATION, ...change })

/** A node without routes on which all is well. */
export const statusOf = (change: Partial<StatusInput> = {}): StatusView =>
  statusView({
    node: 'proxy-1',
    version: '0.1.0',
    startedAt: NOW - 3 * 3_600_000,
    api: 'http://127.0.0.1:8080',
    revision: { expected: 42, served: 42, applied: 42 },
    verdicts: [],
    rejected: [],
    sources: [],
    observation: OBSERVATION,
    provider: PROVIDER,
    publication: { current: null, polled: true, applied: null, phase: 'steady', lastLiveMs: 61, ...NOTHING_YET },
    drift: NO_DRIFT,
    held: [],
    waiting: null,
    store: { savedAt: NOW - 60_000, fault: null },
    ...change,
  })

export function verdictOf(reason: ReasonCode, fields: Partial<TrackedVerdict> = {}): TrackedVerdict {
  const { verdict, meaning, remedy } = REASONS[reason]
  return {
    ...NO_PLACE,
    id: 'pg',
    protocol: 'tcp',
    verdict,
    reason,
    message: meaning,
    remedy,
    entryPoints: reason === 'LIVE' ? ['tcp-10001'] : [],
    notes: [],
    origin: 'db.yaml',
    since: NOW - 18 * 60_000,
    revision: 42,
    ...fields,
  }
}

export type FakeAnswer = { readonly status: number; readonly body: unknown }
export type SeenRequest = { readonly method: string; readonly path: string; readonly body: string }

export type FakeAdmin = {
  /** Settings that name it as the agent's admin endpoint. */
  readonly config: string
  readonly port: number
  readonly seen: readonly SeenRequest[]
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}

/** A text is sent as it is, anything else as JSON. */
export async function fakeAdmin(answer: (request: SeenRequest) => FakeAnswer): Promise<FakeAdmin> {
  const seen: SeenRequest[] = []
  const server = createServer(async (request, response) => {
    const asked = { method: request.method ?? '', path: request.url ?? '', body: await textOf(request) }
    seen.push(asked)
    const { status, body } = answer(asked)
    response.statusCode = status
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, seen, config: await configFor(port) }
}

/** A settings file with this admin port; whatever else the test wants is appended. */
export async function configFor(port: number, more = ''): Promise<string> {
  const path = join(await tempFolder(), 'agent.yaml')
  await writeFile(path, `admin: { listen: "127.0.0.1:${port}" }\n${more}`)
  return path
}

/** Answers `/status` and nothing else. */
export const fakeStatus = (view: unknown): Promise<FakeAdmin> =>
  fakeAdmin(({ path }) =>
    path === '/status' ? { status: 200, body: view } : { status: 404, body: { status: 404, code: 'NOT_FOUND' } },
  )
