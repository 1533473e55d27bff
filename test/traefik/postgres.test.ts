/** Real PostgreSQL servers behind a real Traefik, asked with psql: plain, and with STARTTLS by host name. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { createAuthority } from '../support/authority.ts'
import { tcpRoute } from '../support/builders.ts'
import { part } from '../support/parts.ts'
import { openPsql, type PsqlAnswer, psql, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const [HOST_A, HOST_B, HOST_C] = ['a.db.example.com', 'b.db.example.com', 'c.db.example.com']
const HOST_PLAIN = 'plain.db.example.com'

const rows = (text: string): PsqlAnswer => ({ kind: 'rows', text })
/** psql gave up by itself, and soon: one that hangs is killed and is `late`. */
const FAILED = { kind: 'failed', message: expect.stringMatching(/closed the connection|EOF detected|Connection reset/) }
const NAME = 'show cluster_name'
const USES_TLS = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'

const ready = part('traefik') && part('openssl') && part('postgres') && part('psql')

describe.skipIf(!ready)('PostgreSQL through Traefik', () => {
  let a: TestPostgres
  let b: TestPostgres
  let plain: TestPostgres
  /** File with the authority of all the certificates. */
  let sslrootcert: string

  beforeAll(async () => {
    const authority = await createAuthority('databases')
    sslrootcert = join(await tempFolder(), 'ca.pem')
    await writeFile(sslrootcert, authority.ca)
    // One after the other: an authority keeps a book of what it has issued.
    const start = async (name: string, host: string) =>
      startPostgres({ name, certificate: await authority.issue({ altName: `DNS:${host}` }) })
    a = await start('a', HOST_A)
    b = await start('b', HOST_B)
    plain = await start('plain', HOST_PLAIN)
  })

  const [ONE, SHARED, MIXED, ENDED] = [0, 1, 2, 3]

  async function startWithRoutes(): Promise<{ readonly rig: Rig; readonly ports: readonly number[] }> {
    const rig = await startRig({ tcp: 4 })
    const named = (id: string, index: number, sniHostname: string, to: TestPostgres) =>
      tcpRoute({ id, externalPort: rig.tcp[index], sniHostname, upstreams: [to.address] })
    await rig.write('databases.yaml', {
      tcpRoutes: [
        tcpRoute({ id: 'one', externalPort: rig.tcp[ONE], upstreams: [plain.address] }),
        named('a', SHARED, HOST_A, a),
        named('b', SHARED, HOST_B, b),
        tcpRoute({ id: 'p', externalPort: rig.tcp[MIXED], upstreams: [plain.address], protocolHint: 'postgres' }),
        named('mixed-a', MIXED, HOST_A, a),
        tcpRoute({ id: 'ended', externalPort: rig.tcp[ENDED], tls: 'terminate', upstreams: [plain.address] }),
      ],
    })
    await rig.applied()
    return { rig, ports: rig.tcp }
  }

  test('each way of asking reaches its own server', async () => {
    const { rig, ports } = await startWithRoutes()
    for (const key of ['tcp/one', 'tcp/a', 'tcp/b', 'tcp/p', 'tcp/mixed-a', 'tcp/ended']) await rig.verdict(key, 'live')
    const [one = 0, shared = 0, mixed = 0, ended = 0] = ports

    // A port with one plain route: whatever the client and the server settle between them.
    expect(await psql({ port: one, sslmode: 'disable' }, NAME)).toEqual(rows('plain'))
    expect(await psql({ port: one, sslmode: 'prefer' }, NAME)).toEqual(rows('plain'))
    const certified = { sslmode: 'verify-full', sslrootcert } as const
    expect(await psql({ port: one, host: HOST_PLAIN, ...certified }, NAME)).toEqual(rows('plain'))

    // Two servers on one port: by name, and the certificate is the server's own.
    expect(await psql({ port: shared, host: HOST_A, sslmode: 'require' }, NAME)).toEqual(rows('a'))
    expect(await psql({ port: shared, host: HOST_B, sslmode: 'require' }, NAME)).toEqual(rows('b'))
    expect(await psql({ port: shared, host: HOST_A, ...certified }, NAME)).toEqual(rows('a'))
    expect(await psql({ port: shared, host: HOST_B, ...certified }, NAME)).toEqual(rows('b'))

    // A plain route beside a name: without TLS, and with TLS for another name, the plain one.
    expect(await psql({ port: mixed, host: HOST_A, ...certified }, NAME)).toEqual(rows('a'))
    expect(await psql({ port: mixed, sslmode: 'disable' }, NAME)).toEqual(rows('plain'))
    expect(await psql({ port: mixed, host: HOST_C, sslmode: 'require' }, NAME)).toEqual(rows('plain'))
    expect(await psql({ port: mixed, host: HOST_PLAIN, ...certified }, NAME)).toEqual(rows('plain'))
    // No name at all: an address has none.
    expect(await psql({ port: mixed, sslmode: 'require' }, NAME)).toEqual(rows('plain'))

    // TLS ends at the proxy: the server sees none.
    expect(await psql({ port: ended, sslmode: 'require' }, `${NAME}; ${USES_TLS}`)).toEqual(rows('plain\nf'))
    expect(await psql({ port: ended, host: HOST_A, ...certified }, NAME)).toEqual({
      kind: 'failed',
      message: expect.stringContaining('certificate verify failed'),
    })
  })

  test('without a plain route a wrong name fails at once', async () => {
    const { ports } = await startWithRoutes()
    const port = ports[SHARED] ?? 0
    expect(await psql({ port, host: HOST_C, sslmode: 'require' }, NAME)).toEqual(FAILED)
    expect(await psql({ port, sslmode: 'require' }, NAME)).toEqual(FAILED)
    expect(await psql({ port, host: HOST_A, sslmode: 'disable' }, NAME)).toEqual(FAILED)
    expect(await psql({ port, host: HOST_C, sslmode: 'prefer' }, NAME)).toEqual(FAILED)
    expect(await psql({ port, host: HOST_A, sslmode: 'require' }, NAME)).toEqual(rows('a'))
  })

  test('an open session survives changes of its route', async () => {
    const { rig, ports } = await startWithRoutes()
    const [one = 0, shared = 0] = ports
    const sessions = [
      openPsql({ port: one, sslmode: 'disable' }),
      openPsql({ port: shared, host: HOST_A, sslmode: 'require' }),
    ]
    const answers = (sql: string) => Promise.all(sessions.map(session => session.ask(sql)))
    expect(await answers(NAME)).toEqual(['plain', 'a'])
    await Promise.all(
      sessions.map(session => session.ask('create temp table kept as select 42 as n; select n from kept')),
    )

    await rig.write('databases.yaml', {
      tcpRoutes: [
        tcpRoute({ id: 'one', externalPort: one, upstreams: [b.address] }),
        tcpRoute({ id: 'a', externalPort: shared, sniHostname: HOST_A, upstreams: [b.address] }),
      ],
    })
    const fresh = async () => [
      await psql({ port: one, sslmode: 'disable' }, NAME),
      await psql({ port: shared, host: HOST_A, sslmode: 'require' }, NAME),
    ]
    await waitFor(
      async () => {
        expect(await fresh()).toEqual([rows('b'), rows('b')])
        return true
      },
      { what: 'new sessions to reach the other server' },
    )
    expect(await answers('select n from kept')).toEqual(['42', '42'])

    await rig.write('databases.yaml', { tcpRoutes: [] })
    await waitFor(async () => (await psql({ port: one, sslmode: 'disable' }, NAME)).kind === 'failed', {
      what: 'the port to be closed',
    })
    expect(await answers('select n from kept')).toEqual(['42', '42'])
  })
})
