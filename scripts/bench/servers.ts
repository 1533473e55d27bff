/** The servers that a benchmark asks: a control plane with a long poll, and a plain provider of one body. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http'

export type Served = { readonly url: string; readonly close: () => Promise<void> }

async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

export type ControlPlane = Served & {
  /** A new revision. Whoever waits is answered before this returns. */
  publish(tcpRoutes: readonly unknown[]): void
}

/** Answers `GET .../expected-state` as the contract says: at once when there is something new, else when it comes or the wait is over. */
export async function startControlPlane(first: readonly unknown[]): Promise<ControlPlane> {
  let revision = 1
  let tcpRoutes = first
  const waiting = new Map<ServerResponse, NodeJS.Timeout>()
  const etag = () => `"${revision}"`

  function answer(response: ServerResponse): void {
    const body = JSON.stringify({
      schema: 1,
      controlPlaneId: 'cp_bench',
      serverId: 'srv_bench',
      epoch: 1,
      revision,
      removed: [],
      traefik: { routes: [], tcpRoutes, udpRoutes: [] },
    })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'preference-applied': 'wait',
      etag: etag(),
    })
    response.end(body)
  }

  const served = await serve((request, response) => {
    // A report of the agent.
    if (request.method !== 'GET') {
      request.resume()
      response.writeHead(204).end()
      return
    }
    const seconds = Number(/wait=(\d+)/.exec(String(request.headers.prefer ?? ''))?.[1] ?? 0)
    if (request.headers['if-none-match'] !== etag() || seconds === 0) {
      answer(response)
      return
    }
    const timer = setTimeout(() => {
      waiting.delete(response)
      response.writeHead(304, { etag: etag(), 'preference-applied': 'wait' }).end()
    }, seconds * 1000)
    waiting.set(response, timer)
    response.once('close', () => {
      clearTimeout(timer)
      waiting.delete(response)
    })
  })
  return {
    ...served,
    publish(next) {
      revision += 1
      tcpRoutes = next
      for (const [response, timer] of waiting) {
        clearTimeout(timer)
        answer(response)
      }
      waiting.clear()
    },
  }
}

export type PlainProvider = Served & { publish(body: string): void }

/** Answers every request at once with the body of now, as a provider for stock polling does. */
export async function startPlainProvider(first: string): Promise<PlainProvider> {
  let body = first
  const served = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
  return {
    ...served,
    publish(next) {
      body = next
    },
  }
}
