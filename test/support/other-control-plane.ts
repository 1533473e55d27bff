/**
 * Another control plane than ours, as its users run it: a plain HTTP server that takes signed requests only, never says ETag, never
 * holds an answer, and answers ACME challenges.
 *
 *   const plane = await startOtherControlPlane()
 *   plane.serve({ traefik: { httpRoutes: [...] } })
 *   await startRig({ settings: { sources: { controlPlane: await plane.settings() } } })
 */
import { generateKeyPairSync, verify } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { atEnd } from './at-end.ts'
import { tempFolder } from './temp-folder.ts'

const SERVER_ID = 'server-7'
const STATE_PATH = '/api/v1/agent/expected-state'
const CHALLENGE_PATH = '/api/v1/acme/challenge/'
const WINDOW_MS = 60_000

export type PlaneRequest = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly status: number
}

export type PlaneAnswer = { readonly status: number; readonly contentType?: string; readonly body: string }

export type OtherControlPlane = {
  readonly url: string
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** For `sources.controlPlane` of the agent; writes the identity that this control plane has issued. */
  settings(): Promise<Readonly<Record<string, unknown>>>
  /** From the next request on, the expected state is this value as JSON. */
  serve(document: unknown): void
  /** From the next request on, whoever asks for the expected state gets this, whatever it is. */
  answer(answer: PlaneAnswer): void
  /** Every request so far. */
  requests(): readonly PlaneRequest[]
  /** Nothing listens any more, until `open`, on the same port. */
  close(): Promise<void>
  open(): Promise<void>
}

export async function startOtherControlPlane(): Promise<OtherControlPlane> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const requests: PlaneRequest[] = []
  let current: PlaneAnswer = { status: 503, body: '' }

  function isSigned({ method, url, headers }: IncomingMessage): boolean {
    const { 'x-server-id': serverId, 'x-timestamp': timestamp, 'x-signature': signature } = headers
    if (serverId !== SERVER_ID || typeof timestamp !== 'string' || typeof signature !== 'string') return false
    if (!(Math.abs(Date.now() - Number(timestamp)) <= WINDOW_MS)) return false
    const signed = Buffer.from(`agent-request:v2\0${timestamp}\0${method}\0${url}\0`)
    return verify(null, signed, publicKey, Buffer.from(signature, 'base64'))
  }

  function answerTo(request: IncomingMessage): PlaneAnswer {
    const { method, url = '' } = request
    if (method === 'GET' && url.startsWith(CHALLENGE_PATH))
      return { status: 200, contentType: 'text/plain', body: `${url.slice(CHALLENGE_PATH.length)}.thumbprint` }
    if (!isSigned(request)) return { status: 401, body: '{"error":"bad signature"}' }
    return method === 'GET' && url === STATE_PATH ? current : { status: 404, body: '{"error":"not found"}' }
  }

  const server = createServer((request, response) => {
    const { status, contentType = 'application/json', body } = answerTo(request)
    requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, status })
    response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }).end(body)
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  await listen(0)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  const { port } = address
  const close = async () => {
    if (!server.listening) return
    server.closeAllConnections()
    await new Promise<void>(resolve => {
      server.close(() => resolve())
    })
  }
  atEnd(close)

  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    async settings() {
      const identityFile = join(await tempFolder(), 'identity.json')
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
      await writeFile(identityFile, JSON.stringify({ serverId: SERVER_ID, privateKey: key }), { mode: 0o600 })
      return { urls: [`http://127.0.0.1:${port}`], identityFile, pollInterval: '200ms' }
    },
    serve: document => {
      current = { status: 200, body: JSON.stringify(document) }
    },
    answer: next => {
      current = next
    },
    requests: () => [...requests],
    close,
    open: () => listen(port),
  }
}
