import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Scope } from '../../../src/api/token.ts'
import { createApp } from '../../../src/control/http/app.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { operationsOf } from '../../support/operations.ts'

let control: ControlApp
beforeAll(async () => {
  control = await controlApp()
}, 60_000)
afterAll(() => control.close())

const PUBLIC = ['POST /api/v1/agent/enroll', 'POST /api/v1/sessions']

describe('every route', () => {
  test('is closed to whoever brings nothing, but for these', async () => {
    const open: string[] = []
    for (const { method, path, name } of await operationsOf(control)) {
      const { status } = await control.inject(method, path)
      if (status !== 401) open.push(name)
    }
    expect(open.sort()).toEqual(PUBLIC)
  })

  test('has an id, a tag, a sentence and a word on who may call it', async () => {
    const silent = (await operationsOf(control)).filter(
      ({ operation: { operationId, tags, summary, security } }) =>
        operationId === undefined || tags?.length !== 1 || summary === undefined || security === undefined,
    )
    expect(silent.map(({ name }) => name)).toEqual([])
  })

  test('has an id of its own', async () => {
    const ids = (await operationsOf(control)).map(({ operation }) => operation.operationId)
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  })

  test('is in the document, but for the document and the console', async () => {
    const documented = (await operationsOf(control)).map(({ name }) => name)
    const served = control.routes.filter(({ method }) => method !== 'HEAD').map(({ method, url }) => `${method} ${url}`)
    expect(served.filter(name => !documented.includes(name)).sort()).toEqual(['GET /*', 'GET /openapi.json'])
  })

  test('refuses a scope that is too small', async () => {
    const reader = control.as(await control.tokenFor({ scopes: ['read'] }))
    const writer = control.as(await control.tokenFor({ scopes: ['write'] }))
    const wrong: string[] = []
    for (const { method, path, name, access } of await operationsOf(control)) {
      const scope: Scope | null = access === 'write' || access === 'admin' ? access : null
      if (scope === null) continue
      const { status, json } = await (scope === 'admin' ? writer : reader)(method, path)
      if (status !== 403 || json.code !== 'SCOPE_MISSING' || json.scope !== scope) wrong.push(`${name} ${status}`)
    }
    expect(wrong).toEqual([])
  })

  test('only reads where reading is enough, but for signing out', async () => {
    const changing = (await operationsOf(control)).filter(({ method, access }) => access === 'read' && method !== 'GET')
    expect(changing.map(({ name }) => name)).toEqual(['DELETE /api/v1/sessions/current'])
  })
})

test('a route that does not say who may call it cannot be registered', async () => {
  const app = createApp(control.deps, { routes: api => void api.get('/open', async () => 'hello') })
  await expect(app.ready()).rejects.toThrow('GET /api/v1/open does not say who may call it')
  await app.close()
})

describe('a credential', () => {
  const ask = (headers: Record<string, string>) => control.inject('GET', '/tokens', undefined, headers)

  test.each([
    ['of another kind', { authorization: 'Basic YWRtaW46YWRtaW4=' }],
    ['that is empty', { authorization: 'Bearer ' }],
    ['that is two', { authorization: 'Bearer a b' }],
    ['that is no token of ours', { authorization: 'Bearer hunter2' }],
    ['that was made up well', { authorization: `Bearer flt_${'A'.repeat(49)}` }],
    ['that tries to be SQL', { authorization: `Bearer ' or 1=1 --` }],
    ['in a cookie that is none', { cookie: 'fairlead=x' }],
  ])('%s is refused', async (_title, headers) => {
    const { status, headers: answer, json } = await ask(headers)
    expect([status, json.code, answer['www-authenticate']]).toEqual([401, 'UNAUTHENTICATED', 'Bearer realm="fairlead"'])
  })

  test('that has expired is refused', async () => {
    const token = await control.tokenFor({ scopes: ['admin'], expiresAt: new Date(Date.now() - 1) })
    expect((await control.as(token)('GET', '/tokens')).status).toBe(401)
  })
})

test('every tag of an operation is explained', async () => {
  const document = (await control.inject('GET', '//openapi.json')).json
  const known = document.tags.map(({ name }: { name: string }) => name)
  const used = new Set((await operationsOf(control)).flatMap(({ operation }) => operation.tags ?? []))
  expect([...used].sort()).toEqual([...known].sort())
})

test('the document names no schema that it does not have, and has none that it does not name', async () => {
  const { text, json } = await control.inject('GET', '//openapi.json')
  const named = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(match => match[1]))
  expect([...named].sort()).toEqual(Object.keys(json.components.schemas).sort())
  expect(json.openapi).toBe('3.1.0')
})
