/** The chores of `fairlead control` and `fairlead enroll`, against a control plane that runs. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadIdentity } from '../../src/agent/identity.ts'
import { runCli } from '../support/cli.ts'
import { type ControlProgram, startControlProgram } from '../support/control-program.ts'
import { hasPostgres, startTestPostgres } from '../support/database.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PATIENCE_MS = 120_000

describe.skipIf(!hasPostgres)('the chores of a control plane', () => {
  let plane: ControlProgram
  let databaseUrl: string

  beforeAll(async () => {
    databaseUrl = (await startTestPostgres()).url
    plane = await startControlProgram({ databaseUrl })
  }, PATIENCE_MS)
  afterAll(() => plane.stop(), PATIENCE_MS)

  test('a link opens one session', async () => {
    const { code, text } = await plane.chore('admin-link')
    expect({ code, text }).toEqual({
      code: 0,
      text: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/sign-in#fll_\S+\n$/),
    })
    const signIn = () =>
      fetch(`${plane.url}/api/v1/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: plane.url },
        body: JSON.stringify({ token: text.trim().split('#')[1] }),
      })
    expect([(await signIn()).status, (await signIn()).status]).toEqual([201, 401])
  })

  test('tokens are made, listed and revoked', async () => {
    expect((await plane.ask('POST', '/projects', { name: 'shop' })).status).toBe(201)
    const made = await plane.chore('token', 'create', 'ci', '--project', 'shop', '--expires', '90d')
    expect(made.code, made.text).toBe(0)
    const [, token = '', id = ''] = /^(flt_\S+)\n(tok_\w+) ci: write\. It is shown this once\.\n$/.exec(made.text) ?? []
    const as = (path: string) => fetch(`${plane.url}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } })
    expect((await as('/services')).status).toBe(200)
    expect((await plane.chore('token', 'list')).text).toMatch(
      new RegExp(`^id +name +scopes +project +expires +last used\n(?:.*\n)*${id} +ci +write +prj_\\w+ +20\\S+Z `),
    )
    expect(await plane.chore('token', 'revoke', id)).toEqual({ code: 0, text: `${id} is revoked.\n` })
    expect((await as('/services')).status).toBe(401)
    expect(await plane.chore('token', 'revoke', id)).toMatchObject({ code: 1 })
    expect(await plane.chore('token', 'create', 'x', '--project', 'shoe')).toEqual({
      code: 1,
      text: 'fairlead control: there is no project "shoe"; there are shop\n',
    })
    expect(await plane.chore('token', 'create', 'x', '--scopes', 'root')).toEqual({
      code: 2,
      text: 'fairlead control: --scopes: "root" is not one of read, write, admin\n',
    })
  })

  test('a new epoch begins, with a row', async () => {
    const { code, text } = await plane.chore('raise-epoch')
    expect({ code, text }).toEqual({
      code: 0,
      text: expect.stringMatching(/^Epoch 2 has begun, at revision \d+\. 200 free ports rest until every node has/),
    })
    const { json } = await plane.ask('GET', '/audit?limit=1')
    expect(json.items[0]).toMatchObject({ action: 'control.raise-epoch', epoch: 2 })
  })

  test(
    'an export is imported by a control plane of its own',
    async () => {
      const folder = await tempFolder()
      const file = join(folder, 'all.jsonl')
      const exported = await plane.chore('export', file)
      expect(exported, exported.text).toMatchObject({ code: 0 })
      expect(exported.text).toMatch(
        /all\.jsonl: control plane cp_\w+, epoch 2, revision \d+, .*: 1 projects, 0 services, /,
      )
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      // The secrets of this host are in none of it.
      expect(await readFile(file, 'utf8')).not.toMatch(/flt_|fll_/)

      const config = join(folder, 'control.yaml')
      const settings = { listen: '127.0.0.1:0', state: { directory: join(folder, 'state') } }
      await writeFile(config, JSON.stringify(settings), { mode: 0o600 })
      const imported = await runCli(['control', 'import', file, '--config', config])
      expect(imported).toMatchObject({ code: 0, err: '' })
      expect(imported.out).toMatch(/^Imported: control plane cp_[\s\S]*\nEpoch 3 has begun, at revision \d+\. /)
      // What nobody runs is exported from its folder.
      const back = await runCli(['control', 'export', join(folder, 'back.jsonl'), '--config', config])
      expect(back).toMatchObject({ code: 0, err: '' })
      expect(back.out).toContain('epoch 3')
      const again = await runCli(['control', 'import', file, '--config', config])
      expect(again).toEqual({
        ...{ code: 2, out: '' },
        err: `fairlead control: ${file}: the database is in use: it has projects. Import into a new one: name another state.directory, or another database in database.url.\n`,
      })
    },
    PATIENCE_MS,
  )

  test('SIGHUP says what a restart would change, and what is wrong', async () => {
    const lines = (): Record<string, unknown>[] =>
      plane
        .log()
        .split('\n')
        .flatMap(line => (line.includes('"settings ') ? [JSON.parse(line)] : []))
    const said = async (count: number) => (await waitFor(() => lines()[count - 1], { what: 'the word of it' })) ?? {}
    plane.reload()
    expect(await said(1)).toMatchObject({ level: 'info', msg: 'settings are unchanged' })
    const settings = JSON.parse(await readFile(plane.config, 'utf8'))
    const write = (change: object) => writeFile(plane.config, JSON.stringify({ ...settings, ...change }))
    await write({ ports: { tcp: '10000-10100' }, release: { leastTime: '61s' }, publicUrl: 'https://x.example.com' })
    plane.reload()
    expect(await said(2)).toMatchObject({
      level: 'warn',
      msg: 'settings have changed, and count after a restart',
      changed: ['publicUrl', 'ports.tcp', 'release.leastTime'],
    })
    await write({ ports: { tcp: 'all' } })
    plane.reload()
    expect(await said(3)).toMatchObject({
      level: 'error',
      faults: [expect.stringMatching(/^.*ports\.tcp: "all" /)],
    })
    await writeFile(plane.config, JSON.stringify(settings))
    expect((await plane.ask('GET', '/projects')).status).toBe(200)
  })

  test.each([
    [
      ['export', '/nonexistent/all.jsonl'],
      'fairlead control: /nonexistent/all.jsonl: there is no such file, or no such folder to put it in; correct the path\n',
    ],
    [
      ['import', '/nonexistent.jsonl'],
      'fairlead control: /nonexistent.jsonl: there is no such file, or no such folder to put it in; correct the path\n',
    ],
    [['export', '/tmp'], 'fairlead control: /tmp: it is a folder; name a file in it\n'],
  ])('%j names the path and the way out', async (args, text) => {
    expect(await plane.chore(...args)).toEqual({ code: 3, text })
  })

  test('a node is enrolled once', async () => {
    const folder = await tempFolder()
    const made = await plane.ask('POST', '/enrollment-tokens', {})
    const config = join(folder, 'agent.yaml')
    await writeFile(config, JSON.stringify({ node: 'proxy-1', state: { directory: join(folder, 'state') } }))
    const enroll = (token: string) =>
      runCli(['enroll', '--url', plane.url, '--token', token, '--config', config], { env: { HOME: folder } })

    const wrong = await enroll(`fle_${'x'.repeat(43)}`)
    expect(wrong).toMatchObject({ code: expect.any(Number), out: '' })
    expect(wrong.err).toContain('the enrolment token is not one of ours')

    const first = await enroll(made.json.token)
    const path = join(folder, 'state', 'identity.json')
    expect(first).toEqual({
      ...{ code: 0, err: '' },
      out: expect.stringMatching(
        new RegExp(
          `^Enrolled as proxy-1 \\(srv_\\w+\\) with ${plane.url}\\.\nIts key is in ${path} and nowhere else\\.\nPut this into `,
        ),
      ),
    })
    expect(first.out).toContain(`\n  sources:\n    controlPlane: { urls: [${plane.url}] }\n`)
    const { serverId } = await loadIdentity(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await plane.ask('GET', `/nodes/${serverId}`)).json).toMatchObject({ name: 'proxy-1', status: 'active' })

    const second = await enroll(made.json.token)
    expect(second).toEqual({
      ...{ code: 1, out: '' },
      err: expect.stringContaining(`this node is enrolled already, as ${serverId} (${path}); there is nothing to do.`),
    })
  })

  test(
    'without a control plane they say so',
    async () => {
      await plane.stop()
      const link = await plane.chore('admin-link')
      expect(link).toEqual({
        code: 3,
        text: expect.stringMatching(
          /cannot be asked: nobody listens there; the control plane of this host does not run/,
        ),
      })
      await plane.start()
      const never = join(await tempFolder(), 'control.yaml')
      await writeFile(never, 'state: { directory: /nonexistent/control }\n')
      expect(await runCli(['control', 'admin-link', '--config', never])).toEqual({
        ...{ code: 3, out: '' },
        err: 'fairlead control: no control plane has run in /nonexistent/control; start it with fairlead control, or name its settings with --config\n',
      })
    },
    PATIENCE_MS,
  )
})
