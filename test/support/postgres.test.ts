import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createAuthority } from './authority.ts'
import { part } from './parts.ts'
import { openPsql, psql, startPostgres } from './postgres.ts'
import { tempFolder } from './temp-folder.ts'

const ready = part('postgres') && part('psql') && part('openssl')

describe.skipIf(!ready)('a PostgreSQL for tests', { timeout: 60_000 }, () => {
  test('psql reaches it with and without TLS', async () => {
    const authority = await createAuthority('test')
    const certificate = await authority.issue({ altName: 'DNS:one.example.com' })
    const { port, stop } = await startPostgres({ name: 'one', certificate })
    const sslrootcert = join(await tempFolder(), 'ca.pem')
    await writeFile(sslrootcert, authority.ca)
    const usesTls = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
    const verified = { port, sslmode: 'verify-full', sslrootcert } as const

    expect(await psql({ port, sslmode: 'disable' }, 'show cluster_name')).toEqual({ kind: 'rows', text: 'one' })
    expect(await psql({ port, sslmode: 'disable' }, usesTls)).toEqual({ kind: 'rows', text: 'f' })
    expect(await psql({ ...verified, host: 'one.example.com' }, usesTls)).toEqual({ kind: 'rows', text: 't' })
    expect(await psql({ ...verified, host: 'two.example.com' }, usesTls)).toEqual({
      kind: 'failed',
      message: expect.stringContaining('does not match host name "two.example.com"'),
    })
    expect(await psql({ port, sslmode: 'disable' }, 'select pg_sleep(60)', { timeoutMs: 200 })).toEqual({
      kind: 'late',
    })
    const session = openPsql({ port, sslmode: 'require' })
    expect([await session.ask('select 1'), await session.ask('show cluster_name')]).toEqual(['1', 'one'])
    await stop()
    expect(await psql({ port, sslmode: 'disable' }, 'select 1')).toMatchObject({ kind: 'failed' })
  })
})
