/**
 * A control plane of a few lines for one test: holds polls, takes reports, and knows of each route what it was told.
 *
 *   const plane = await startReportingPlane()
 *   plane.set({ tcpRoutes: [tcpRoute()] })                       // the next revision, sent to whoever waits
 *   await waitFor(() => plane.told('pg')?.verdict === 'live')
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ReportedVerdict, StatusReport } from '../../src/core/report-wire.ts'
import { atEnd } from './at-end.ts'
import type { Lists } from './builders.ts'

type Document = Readonly<Record<string, unknown>>

export type ReportingPlane = {
  readonly url: string
  /** Every report that was taken, in order. */
  readonly reports: readonly StatusReport[]
  /** What is known of a route by its id after all reports. */
  told(id: string): ReportedVerdict | undefined
  /** All rows that were ever told of it. */
  history(id: string): readonly ReportedVerdict[]
  ids(): readonly string[]
  /** The next revision. */
  set(lists: Lists, header?: Document): void
  /** Another header, the same revision and routes. */
  change(header: Document): void
  /** The answer to reports; default 204. A report that is not answered with 204 is not taken. */
  status: number | 'never'
  /** Requests that came with a report, taken or not. */
  attempts(): number
}

/** @param document what it sends beside its routes; by default what our control plane does */
export async function startReportingPlane(
  document: Document = { schema: 1, controlPlaneId: 'cp_1', serverId: 'srv_1', epoch: 1 },
): Promise<ReportingPlane> {
  const sockets = new Set<Socket>()
  const reports: StatusReport[] = []
  const rows = new Map<string, ReportedVerdict>()
  const history: ReportedVerdict[] = []
  const waiting = new Set<() => void>()
  let revision = 0
  let version = 0
  let lists: Lists = {}
  let header: Document = {}
  let attempts = 0

  function take(report: StatusReport): void {
    reports.push(report)
    if (report.full) rows.clear()
    for (const id of report.gone) rows.delete(id)
    for (const row of report.verdicts) {
      rows.set(row.id, row)
      history.push(row)
    }
  }
  function expectedState(request: IncomingMessage, response: ServerResponse): void {
    const answer = () => {
      const traefik = { routes: [], tcpRoutes: [], udpRoutes: [], ...lists }
      const numbered = document.schema === undefined ? {} : { revision }
      response
        .writeHead(200, { 'content-type': 'application/json', etag: `"${version}"` })
        .end(JSON.stringify({ ...document, ...numbered, ...header, traefik }))
    }
    if (request.headers['if-none-match'] !== `"${version}"`) {
      answer()
      return
    }
    if (request.headers.prefer === undefined) {
      response.writeHead(304, { etag: `"${version}"` }).end()
      return
    }
    const go = () => {
      waiting.delete(go)
      answer()
    }
    waiting.add(go)
    response.on('close', () => waiting.delete(go))
  }
  function status(request: IncomingMessage, response: ServerResponse): void {
    attempts += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (self.status === 'never') return
      if (self.status === 204) take(JSON.parse(Buffer.concat(chunks).toString('utf8')))
      response.writeHead(self.status).end()
    })
  }
  const server = createServer((request, response) => {
    response.on('error', () => {})
    if (request.url === '/api/v1/agent/expected-state') expectedState(request, response)
    else if (request.url === '/api/v1/agent/status' && request.method === 'POST') status(request, response)
    else response.writeHead(404).end()
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>(resolve => void server.close(() => resolve()))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  const publish = () => {
    version += 1
    for (const go of [...waiting]) go()
  }
  const self: ReportingPlane = {
    url: `http://127.0.0.1:${address.port}`,
    reports,
    told: id => rows.get(id),
    history: id => history.filter(row => row.id === id),
    ids: () => [...rows.keys()].sort(),
    set(next, nextHeader = {}) {
      revision += 1
      lists = next
      header = nextHeader
      publish()
    },
    change(next) {
      header = next
      publish()
    },
    status: 204,
    attempts: () => attempts,
  }
  return self
}
