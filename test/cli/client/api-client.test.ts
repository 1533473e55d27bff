import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type ApiClient, createApiClient, Unreachable } from '../../../src/cli/client/api-client.ts'
import { RefusedError } from '../../../src/cli/client/problem.ts'
import { CliError } from '../../../src/cli/io.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { atEnd } from '../../support/at-end.ts'
import { freePort } from '../../support/ports.ts'

const QUICK = { ...SYSTEM_CLOCK, sleep: async () => {} }

async function clientOf(listener: RequestListener): Promise<ApiClient> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => new Promise(resolve => server.close(resolve).closeAllConnections()))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return open(`http://127.0.0.1:${port}`)
}

function open(url: string): ApiClient {
  const client = createApiClient({ url, token: 'flt_secret', clock: QUICK, version: '1.2.3', remedy: 'look there' })
  atEnd(() => client.close())
  return client
}

const any = z.unknown()
const failure = async (asking: Promise<unknown>): Promise<CliError> => {
  const error = await asking.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof CliError)) throw new Error(`not refused: ${error}`)
  return error
}

const problem =
  (status: number, members: object): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ code: 'X', title: 'Title', status, ...members }))
  }

describe('what is refused', () => {
  test.each([
    [
      409,
      { detail: 'TCP port 10001 is taken', remedy: 'Take another.' },
      1,
      ['TCP port 10001 is taken. Take another.'],
    ],
    [404, { detail: '', remedy: '' }, 1, ['Title']],
    [401, { detail: 'the token is expired' }, 2, ['the token is expired']],
    [503, { detail: 'the database is away', remedy: 'Try again.' }, 3, ['the database is away. Try again.']],
    [
      422,
      {
        detail: 'both',
        fields: [
          { field: 'ports[0].port', message: 'is missing', code: 'x' },
          { field: '', message: 'too many.', remedy: 'Take one.', code: 'y' },
        ],
      },
      2,
      ['ports[0].port: is missing', 'too many. Take one.'],
    ],
  ])('%d is said in sentences, with an exit code', async (status, members, exitCode, sentences) => {
    const client = await clientOf(problem(status, members))
    const error = await failure(client.ask({ method: 'DELETE', path: '/x' }, any))
    expect(error).toBeInstanceOf(RefusedError)
    expect([error.exitCode, error.sentences]).toEqual([exitCode, sentences])
  })

  test.each([
    [302, '', 'with a redirect, which is not followed'],
    [200, 'hello', 'something that is not JSON'],
    [500, '<html>', 'with 500 and no reason'],
  ])('%d %j is no control plane', async (status, text, words) => {
    const client = await clientOf((_request, response) => {
      response.writeHead(status, { location: 'http://127.0.0.1:1/' })
      response.end(text)
    })
    const error = await failure(client.ask({ method: 'DELETE', path: '/x' }, any))
    expect(error).toBeInstanceOf(Unreachable)
    expect([error.exitCode, error.sentences.join()]).toEqual([3, expect.stringContaining(words)])
  })

  test('nobody there is said with what to look at', async () => {
    const url = `http://127.0.0.1:${await freePort('tcp')}`
    const error = await failure(open(url).ask({ path: '/x' }, any))
    expect([error.exitCode, error.sentences]).toEqual([3, [`${url} cannot be asked: nobody listens there; look there`]])
  })

  test('an answer of another shape names the field', async () => {
    const client = await clientOf((_request, response) => void response.end('{"items":[{"id":1}]}'))
    const shape = z.object({ items: z.array(z.object({ id: z.string() })) })
    const error = await failure(client.ask({ path: '/things?limit=1' }, shape))
    expect(error.sentences.join()).toContain('answers /things as no control plane of ours does (items.0.id)')
  })
})

describe('what is asked', () => {
  test('carries the token, and a POST a key that stays the same over its retries', async () => {
    const seen: IncomingMessage[] = []
    const client = await clientOf((request, response) => {
      seen.push(request)
      request.resume()
      if (seen.length === 1) return void request.socket.destroy()
      if (seen.length === 2) return problem(503, { detail: 'away' })(request, response)
      response.end('{"ok":true}')
    })
    expect(await client.ask({ method: 'POST', path: '/x', body: { a: 1 } }, z.object({ ok: z.boolean() }))).toEqual({
      ok: true,
    })
    const keys = seen.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), keys[0], keys[0]])
    expect(seen.map(({ headers, url }) => [url, headers.authorization])).toEqual(
      Array(3).fill(['/api/v1/x', 'Bearer flt_secret']),
    )
  })

  test('a DELETE is sent once', async () => {
    let count = 0
    const client = await clientOf((request, response) => {
      count++
      problem(503, { detail: 'away' })(request, response)
    })
    await failure(client.ask({ method: 'DELETE', path: '/x' }, any))
    expect(count).toBe(1)
  })

  test('an answer without a body is taken', async () => {
    const client = await clientOf((_request, response) => void response.writeHead(204).end())
    expect(await client.ask({ method: 'DELETE', path: '/x' }, z.null())).toBeNull()
  })
})
