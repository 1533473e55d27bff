import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import Fastify from 'fastify'
import { beforeAll, describe, expect, test } from 'vitest'
import { registerConsole } from '../../src/control/console-files.ts'
import type { App } from '../../src/control/http/route.ts'
import { atEnd } from '../support/at-end.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { tempFolder } from '../support/temp-folder.ts'

const SCRIPT = `console.log("${'x'.repeat(5_000)}")\n`

/** A server with the console of this folder alone. */
async function consoleApp(folder: string, control: ControlApp): Promise<App> {
  const app: App = Fastify()
  registerConsole(app, control.deps, folder)
  await app.ready()
  atEnd(() => app.close())
  return app
}

let control: ControlApp
let built: string

beforeAll(async () => {
  control = await controlApp()
  atEnd(() => control.close())
  built = await tempFolder()
  await mkdir(join(built, 'assets'))
  await writeFile(join(built, 'index.html'), '<!doctype html><title>Console</title>')
  await writeFile(join(built, 'assets', 'main-abc123.js'), SCRIPT)
  await writeFile(join(built, 'manifest.json'), '{}')
  await writeFile(join(built, '.secret'), 'x')
}, 60_000)

const HTML = { accept: 'text/html,*/*' }

describe('a console that is built', () => {
  test('is sent at the root and at every place of its own', async () => {
    const app = await consoleApp(built, control)
    for (const url of ['/', '/services', '/services/svc_1/ports/prt_2/edit?x=1']) {
      const { statusCode, headers, payload } = await app.inject({ url, headers: HTML })
      expect([statusCode, headers['content-type'], headers['cache-control'], payload]).toEqual([
        ...[200, 'text/html; charset=utf-8', 'no-cache'],
        '<!doctype html><title>Console</title>',
      ])
    }
  })

  test('its hashed files are kept for ever, packed for who can unpack', async () => {
    const app = await consoleApp(built, control)
    const url = '/assets/main-abc123.js'
    const plain = await app.inject({ url })
    expect([plain.statusCode, plain.headers['cache-control'], plain.headers.vary, plain.payload]).toEqual([
      ...[200, 'public, max-age=31536000, immutable', 'accept-encoding'],
      SCRIPT,
    ])
    const packed = await app.inject({ url, headers: { 'accept-encoding': 'gzip, br' } })
    expect(packed.headers['content-encoding']).toBe('br')
    expect(packed.rawPayload.length).toBeLessThan(SCRIPT.length / 4)
    expect(brotliDecompressSync(packed.rawPayload).toString()).toBe(SCRIPT)
    const again = await app.inject({ url, headers: { 'if-none-match': String(plain.headers.etag) } })
    expect([again.statusCode, again.payload]).toEqual([304, ''])
  })

  test.each([
    ['/assets/gone-1.js', HTML],
    ['/favicon.ico', {}],
    ['/manifest.json', {}],
    ['/.secret', {}],
    ['/../package.json', {}],
    ['/%2e%2e/package.json', {}],
    ['/assets/..%2f..%2f.secret', {}],
    ['/api/v1/nothing', HTML],
    ['/api', HTML],
  ])('%s is none of it', async (url, headers) => {
    const app = await consoleApp(built, control)
    expect((await app.inject({ url, headers })).statusCode).toBe(404)
  })
})

test('a console that is not built says so', async () => {
  const app = await consoleApp(await tempFolder(), control)
  const { statusCode, payload, headers } = await app.inject({ url: '/', headers: HTML })
  expect([statusCode, headers['cache-control']]).toEqual([503, 'no-store'])
  expect(payload).toContain('<h1>The console is not built</h1>')
  expect((await app.inject({ url: '/' })).statusCode).toBe(404)
})

test('beside the interface it takes nothing away from it', async () => {
  const nothing = await control.inject('GET', '/nothing', undefined, HTML)
  expect([nothing.status, nothing.json.code]).toEqual([404, 'NOT_FOUND'])
  const wrong = await control.inject('GET', '/epoch', undefined, HTML)
  expect([wrong.status, wrong.headers.allow]).toEqual([405, 'POST'])
})
