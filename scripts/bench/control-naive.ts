/**
 * The rival of the fan-out: the same contract, the same database and signatures, and what one writes first. Each agent that waits reads the
 * routes for itself when something has changed, and has its own text made of them.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { pino } from 'pino'
import { createVerifier, readSignedRequest } from '../../src/control/agents/signature.ts'
import { openDatabase } from '../../src/control/db/client.ts'
import { readPosition } from '../../src/control/db/revision.ts'
import { createHub } from '../../src/control/hub.ts'
import { readRoutes } from '../../src/control/services/routes.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'

const WAIT_MS = 25_000

async function main(url: string): Promise<void> {
  const logger = pino({ level: 'silent' })
  const database = await openDatabase({
    url,
    directory: '/nonexistent',
    logger,
    gate: { maxWaiting: 10_000, waitMs: 60_000 },
  })
  const hub = createHub({ database, clock: SYSTEM_CLOCK, logger })
  hub.start()
  const isSigned = createVerifier()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const signed = readSignedRequest({
      method: request.method ?? '',
      pathAndQuery: request.url ?? '',
      body: Buffer.alloc(0),
      header: name => request.headersDistinct[name] ?? [],
    })
    for (;;) {
      const { key, position, routes } = await database.transaction(
        async tx => {
          const { rows } = await tx.execute<{ key: string }>(
            sql`select public_key as key from nodes where id = ${signed?.serverId ?? ''}`,
          )
          return { key: rows[0]?.key ?? null, position: await readPosition(tx), routes: await readRoutes(tx) }
        },
        { isolation: 'repeatable read', readOnly: true },
      )
      if (signed === null || !isSigned(signed, key)) return void response.writeHead(401).end()
      const { epoch, revision } = position
      const text = JSON.stringify({
        schema: 1,
        serverId: signed.serverId,
        epoch,
        revision,
        removed: [],
        traefik: routes,
      })
      const etag = `"${createHash('sha256').update(text).digest('hex')}"`
      if (etag !== request.headers['if-none-match']) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip', etag })
        return void response.end(gzipSync(text))
      }
      const signal = new AbortController().signal
      if ((await hub.waitPast(position, { signal, timeoutMs: WAIT_MS })) !== 'past')
        return void response.writeHead(304, { etag }).end()
    }
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(503).end())
  })
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (address !== null && typeof address === 'object') process.send?.(`http://127.0.0.1:${address.port}`)
  })
  process.once('disconnect', () => process.exit(0))
}

await main(process.argv[2] ?? '')
