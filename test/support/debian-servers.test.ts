import { describe, expect, test } from 'vitest'
import { mysql, redis, startMariadb, startRedis } from './debian-servers.ts'
import { part } from './parts.ts'

describe.skipIf(!part('mariadb'))('MariaDB', () => {
  test('answers its own client, and not when it is gone', async () => {
    const server = await startMariadb()
    expect(await mysql(server.port, 'select @@port')).toBe(String(server.port))
    await server.stop()
    expect(await mysql(server.port, 'select 1')).toBe(null)
  }, 60_000)
})

describe.skipIf(!part('redis'))('Redis', () => {
  test('answers its own client, and not when it is gone', async () => {
    const server = await startRedis()
    expect(await redis(server.port, 'SET', 'a', 'b')).toBe('OK')
    expect(await redis(server.port, 'GET', 'a')).toBe('b')
    await server.stop()
    expect(await redis(server.port, 'PING')).toBe(null)
  }, 60_000)
})
