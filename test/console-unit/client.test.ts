import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/console/data/client.ts'
import { CallError, isPassing, isUncertain } from '../../src/console/data/problem.ts'
import { FAULTS, type Fault, faultsBefore } from '../support/console-faults.ts'

const server = createServer((_request, response) => response.end('{}'))
const faults = faultsBefore(server)
const client = createClient({
  fetch: (path, init) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${String(path)}`, init),
  now: () => 0,
  onSignedOut: () => undefined,
})
beforeAll(() => new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve)))
afterAll(() => void server.close())

type Told = { readonly words: string; readonly passing: boolean; readonly uncertain: boolean }

async function toldOf(fault: Fault, method: 'GET' | 'POST'): Promise<Told> {
  faults.clear()
  faults.set(() => true, fault)
  const call = method === 'GET' ? client.get('/services') : client.send('POST', '/services', { body: {} })
  const error: unknown = await call.then(
    () => null,
    thrown => thrown,
  )
  if (!(error instanceof CallError)) throw new Error(`not a CallError: ${String(error)}`)
  const { message, remedy } = error.fault
  return { words: `${message} ${remedy}`, passing: isPassing(error), uncertain: isUncertain(error.fault) }
}

describe('what a person is told of an answer', () => {
  const SILENT = 'The control plane does not answer. Look whether it runs and whether this machine reaches it.'
  const GARBLED = 'What came is no answer of the control plane. Look what stands between it and this machine.'
  test.each<readonly [name: keyof typeof FAULTS, words: string, passing: boolean, uncertain: boolean]>([
    [
      'broken',
      'Something went wrong here. Report it with the request id; the log of the control plane has the details.',
      ...([true, false] as const),
    ],
    [
      'noDatabase',
      'The database does not take part in this now; nothing was changed. Try again in a moment.',
      ...([true, false] as const),
    ],
    ['notAllowed', 'The token has not the scope admin. Sign in with a token that may do it.', false, false],
    [
      'notThere',
      'There is no such thing as that. Look for it in the list; it may be gone, or belong to a project that this token does not reach.',
      ...([false, false] as const),
    ],
    [
      'changed',
      'It is at version 9, and 8 was expected. Look at it as it is now, then try again.',
      ...([false, false] as const),
    ],
    ['tooMany', 'More than 600 requests in a minute. Try again in a moment.', true, false],
    [
      'noGateway',
      'The proxy in front of the control plane answered 502: it does not reach it. Try again in a moment.',
      ...([true, true] as const),
    ],
    ['cut', SILENT, true, true],
    ['half', SILENT, true, true],
    ['lost', SILENT, true, true],
    ['unreadable', GARBLED, true, true],
  ])('%s', async (name, words, passing, uncertain) => {
    for (const method of ['GET', 'POST'] as const)
      expect(await toldOf(FAULTS[name], method)).toEqual({ words, passing, uncertain })
  })

  test('nothing at all, where something was asked for, is no answer', async () => {
    faults.clear()
    faults.set(
      () => true,
      (_request, response) => void response.writeHead(200).end(),
    )
    await expect(client.get('/services')).rejects.toThrow('What came is no answer of the control plane.')
    expect((await client.send('DELETE', '/services/svc_1')).data).toBe(null)
  })
})
