/** A connection that is cut while it commits: the change was made, or it was not, and the caller is told which. */
import { eq } from 'drizzle-orm'
import { beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM_ADMIN } from '../../src/control/access/actor.ts'
import type { Database } from '../../src/control/db/client.ts'
import { projects } from '../../src/control/db/schema.ts'
import { auditLog } from '../../src/control/db/schema-log.ts'
import { mutate } from '../../src/control/http/write.ts'
import { atEnd } from '../support/at-end.ts'
import { commitCutter } from '../support/commit-cutter.ts'
import { controlApp } from '../support/control-app.ts'
import { hasPostgres, openServerDatabase, startTestPostgres } from '../support/database.ts'

const server = hasPostgres ? await startTestPostgres() : null

describe.skipIf(server === null)('a commit whose answer is lost', () => {
  let database: Database
  let arm: () => void
  beforeAll(async () => {
    const proxy = await commitCutter(server?.url ?? '')
    arm = proxy.arm
    database = await openServerDatabase(proxy.url)
    atEnd(() => database.close())
  }, 180_000)

  const make = (id: string) =>
    mutate({ database }, { actor: SYSTEM_ADMIN, requestId: `req_${id}` }, async m => {
      await m.change()
      await m.tx.insert(projects).values({ id, name: id })
      await m.audit({ action: 'project.create', resourceKind: 'project', resourceId: id })
      return { status: 201, body: { id } }
    })
  const traces = (id: string) =>
    database.transaction(async tx => ({
      projects: (await tx.select().from(projects).where(eq(projects.id, id))).length,
      audited: (await tx.select().from(auditLog).where(eq(auditLog.resourceId, id))).length,
    }))

  test('is answered as the success that it was', async () => {
    arm()
    expect(await make('p1')).toEqual({ status: 201, body: { id: 'p1' } })
    expect(await traces('p1')).toEqual({ projects: 1, audited: 1 })
  })

  test('is answered over HTTP like any other, and made once', async () => {
    const control = await controlApp({ deps: { database } })
    const body = { name: 'deploy', scopes: ['read'] }
    arm()
    const first = await control.asAdmin('POST', '/tokens', body, { 'idempotency-key': 'k' })
    expect([first.status, first.json.name]).toEqual([201, 'deploy'])
    const again = await control.asAdmin('POST', '/tokens', body, { 'idempotency-key': 'k' })
    expect([again.text, again.headers['idempotency-replayed']]).toEqual([first.text, 'true'])
    expect((await control.asAdmin('GET', '/tokens')).json.items).toHaveLength(1)
    await control.close()
  })
})
