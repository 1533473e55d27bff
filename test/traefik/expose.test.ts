/** From one command to a database that answers: `fairlead up`, `fairlead expose`, and the client that it names. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createAuthority } from '../support/authority.ts'
import { tcpAsk } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { freePorts } from '../support/ports.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { type Program, startProgram } from '../support/program.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { testTraefikBinary } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const START_MS = 150_000

type Typed = { readonly code: number | null; readonly out: string; readonly err: string }

/** Types a line into a shell, as a person would. */
async function type(command: string, home: string): Promise<Typed> {
  const shell = spawn('bash', ['-c', command], { env: { PATH: process.env.PATH ?? '', HOME: home }, stdio: 'pipe' })
  let out = ''
  let err = ''
  shell.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  shell.stderr.setEncoding('utf8').on('data', text => {
    err += text
  })
  shell.stdin.end()
  const [code] = await once(shell, 'close')
  return { code, out, err }
}

const exposed = z.object({
  service: z.object({ id: z.string() }),
  port: z.object({ id: z.string(), externalPort: z.number() }),
  live: z.boolean(),
})

describe.skipIf(!part('traefik') || !part('postgres') || !part('openssl'))('fairlead expose', () => {
  let postgres: TestPostgres
  let home: string
  let up: Program

  beforeAll(async () => {
    const certificate = await (await createAuthority('pg')).issue({ altName: 'IP:127.0.0.1' })
    postgres = await startPostgres({ name: 'exposed', certificate })
    home = await tempFolder()
    const ports = await freePorts(4, 'tcp')
    up = startProgram(['up', '--state', join(home, 'state'), '--traefik', await testTraefikBinary()], {
      env: { HOME: home, FAIRLEAD_PORTS_TCP: ports.join(','), FAIRLEAD_PORTS_UDP: 'none' },
      cwd: home,
    })
    await up.says('To stop', START_MS)
  }, START_MS)
  // Killed instead, it would leave its Traefik behind.
  afterAll(async () => {
    up.child.kill('SIGTERM')
    await up.exit
  }, START_MS)

  /** As somebody types it whose cli.yaml was written by `up`. */
  async function run(...args: readonly string[]): Promise<Typed> {
    const program = startProgram(args, { env: { HOME: home } })
    const { code } = await program.exit
    return { code, out: program.out(), err: program.err() }
  }

  test('says live, and the command that it prints works', async () => {
    const made = await run('expose', postgres.address, '--protocol', 'tcp', '--preset', 'postgres', '--wait')
    expect(made).toEqual({
      ...{ code: 0, err: '' },
      out: expect.stringMatching(/^live on 127\.0\.0\.1:\d+ after [0-9.]+ m?s\n {2}psql /),
    })
    const psql = (made.out.split('\n')[1] ?? '').trim().replace(/ {4}#.*$/, '')
    // What the line leaves to the person: which database, as whom.
    const filled = psql.replaceAll(/\bUSER\b/g, 'postgres').replaceAll(/\bDATABASE\b/g, 'postgres')
    const answer = await type(`PGUSER=postgres PGDATABASE=postgres ${filled} -X -A -t -c 'show cluster_name'`, home)
    expect({ ...answer, psql }).toEqual({ code: 0, out: 'exposed\n', err: '', psql })
    // The terminal of `up` calls it by its name.
    await up.says('tcp/postgres-127-0-0-1-')
  })

  test('a deleted service is refused at its old address', async () => {
    const made = await run('expose', postgres.address, '--name', 'short', '--wait', '--json')
    expect({ code: made.code, err: made.err }).toEqual({ code: 0, err: '' })
    const { service, port, live } = exposed.parse(JSON.parse(made.out))
    expect(live).toBe(true)
    const state = join(home, 'state', 'control')
    const deleted = await type(
      `curl -s -o /dev/null -w '%{http_code}' -X DELETE -H "Authorization: Bearer $(cat ${state}/admin-token)" $(cat ${state}/address)/api/v1/services/${service.id}`,
      home,
    )
    expect(deleted.out).toBe('200')
    await waitFor(
      async () => {
        const { kind } = await tcpAsk(port.externalPort)
        return kind === 'refused' || kind === 'closed'
      },
      { what: 'the port to be closed' },
    )
  })

  test('an address that no node may reach is refused with the way out', async () => {
    const made = await run('expose', '169.254.169.254:80', '--wait')
    expect({ code: made.code, out: made.out }).toEqual({ code: 2, out: '' })
    expect(made.err).toMatch(/^fairlead expose: .*169\.254\.169\.254/)
  })
})
