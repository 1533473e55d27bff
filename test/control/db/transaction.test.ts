import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { DatabaseError } from '../../../src/control/db/error.ts'
import { projects } from '../../../src/control/db/schema.ts'
import { apiTokens } from '../../../src/control/db/schema-access.ts'
import { auditLog, revisions } from '../../../src/control/db/schema-log.ts'
import { type Tx, withRetries } from '../../../src/control/db/transaction.ts'
import { onEachDatabase } from '../../support/database.ts'

const add = (tx: Tx, id: string, name = id) => tx.insert(projects).values({ id, name })
const namesOf = async (tx: Tx): Promise<string[]> => (await tx.select().from(projects)).map(({ name }) => name).sort()

onEachDatabase('a transaction', use => {
  const names = () => use().transaction(namesOf, { readOnly: true })

  test('leaves what it wrote', async () => {
    const result = await use().transaction(async tx => {
      await add(tx, 'a')
      return 'done'
    })
    expect([result, await names()]).toEqual(['done', ['a']])
  })

  test('that throws leaves nothing, and its error as it was', async () => {
    const thrown = new Error('changed my mind')
    const outcome = use().transaction(async tx => {
      await add(tx, 'a')
      throw thrown
    })
    await expect(outcome).rejects.toBe(thrown)
    expect(await names()).toEqual([])
  })

  test('names the constraint that refused it', async () => {
    await use().transaction(tx => add(tx, 'a', 'one'))
    await expect(use().transaction(tx => add(tx, 'b', 'one'))).rejects.toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      sqlState: '23505',
      constraint: 'projects_name_unique',
      message: 'duplicate key value violates unique constraint "projects_name_unique"',
    })
    expect(await names()).toEqual(['one'])
  })

  test('that hides a failed statement does not pass for done', async () => {
    const outcome = use().transaction(async tx => {
      await add(tx, 'a')
      await add(tx, 'a').catch(() => {})
    })
    await expect(outcome).rejects.toMatchObject({
      code: 'QUERY_FAILED',
      message: 'the transaction ended with ROLLBACK: one of its statements had failed',
    })
    expect(await names()).toEqual([])
  })

  test('goes on after a failure within a savepoint', async () => {
    await use().transaction(async tx => {
      await add(tx, 'a')
      await tx.transaction(inner => add(inner, 'a')).catch(() => {})
      await add(tx, 'b')
    })
    expect(await names()).toEqual(['a', 'b'])
  })

  test.each([
    [{}, 'read committed', 'off'],
    [{ isolation: 'repeatable read', readOnly: true }, 'repeatable read', 'on'],
    [{ isolation: 'serializable' }, 'serializable', 'off'],
  ] as const)('asked for %j has the isolation %s', async (options, isolation, readOnly) => {
    const { rows } = await use().transaction(
      tx =>
        tx.execute(sql`select current_setting('transaction_isolation') i, current_setting('transaction_read_only') r`),
      options,
    )
    expect(rows).toEqual([{ i: isolation, r: readOnly }])
  })

  test('that only reads may not write', async () => {
    await expect(use().transaction(tx => add(tx, 'a'), { readOnly: true })).rejects.toMatchObject({
      code: 'DATABASE_READ_ONLY',
    })
  })

  test('gives every type back as it was given', async () => {
    const at = new Date('2026-02-03T04:05:06.789Z')
    const token = {
      id: 'tok_1',
      name: 'o\u2019hara \u{1f600} "x"',
      tokenHash: 'h',
      scopes: ['read', 'write'] as ('read' | 'write')[],
      projectId: null,
      createdBy: 'test',
      createdAt: at,
      expiresAt: null,
      lastUsedAt: at,
      revokedAt: null,
    }
    const audit = { actorKind: 'k', actorId: 'a', action: 'x', resourceKind: 'r', resourceId: 'i' }
    const after = { list: [1, 'two', null, { three: 3.5 }], text: 'a\nb' }
    const read = await use().transaction(async tx => {
      await tx.insert(apiTokens).values(token)
      await tx.update(revisions).set({ revision: Number.MAX_SAFE_INTEGER })
      await tx.insert(auditLog).values({ ...audit, after, removedRoutes: ['tcp/a', 'udp/"b",{}'] })
      return {
        token: await tx.select().from(apiTokens),
        revision: await tx.select({ revision: revisions.revision }).from(revisions),
        audit: await tx.select({ after: auditLog.after, removed: auditLog.removedRoutes }).from(auditLog),
      }
    })
    expect(read).toEqual({
      token: [token],
      revision: [{ revision: Number.MAX_SAFE_INTEGER }],
      audit: [{ after, removed: ['tcp/a', 'udp/"b",{}'] }],
    })
  })

  test('many at once all come through', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `p${index}`)
    await Promise.all(ids.map(id => use().transaction(tx => add(tx, id))))
    expect(await names()).toEqual([...ids].sort())
    expect(use().stats()).toEqual({ inside: 0, waiting: 0, writersInside: 0, writersWaiting: 0 })
  })
})

describe('trying again', () => {
  const conflict = () => new DatabaseError('DATABASE_CONFLICT', 'could not serialize access', { sqlState: '40001' })

  /** Fails so often, then succeeds; tells the pauses. */
  async function tried(failures: number, error = conflict()) {
    const pauses: number[] = []
    let attempts = 0
    const outcome = await withRetries(
      async () => {
        attempts++
        if (attempts <= failures) throw error
        return 'done'
      },
      {
        clock: {
          sleep: async ms => {
            pauses.push(ms)
          },
        },
        random: () => 0.5,
        signal: new AbortController().signal,
      },
    ).catch((thrown: unknown) => thrown)
    return { outcome, attempts, pauses }
  }

  test('ends with the first success, with growing pauses', async () => {
    expect(await tried(3)).toEqual({ outcome: 'done', attempts: 4, pauses: [10, 20, 40] })
  })

  test('gives up after six attempts, with an error to try again', async () => {
    const error = conflict()
    expect(await tried(99, error)).toEqual({ outcome: error, attempts: 6, pauses: [10, 20, 40, 80, 160] })
    expect(error.retryable).toBe(true)
  })

  test('is not for any other error', async () => {
    const error = new DatabaseError('COMMIT_OUTCOME_UNKNOWN', 'lost')
    expect(await tried(1, error)).toEqual({ outcome: error, attempts: 1, pauses: [] })
  })
})
