/**
 * A control plane that ends itself, as a power cut would, at one step of its next change.
 *
 *   node control-child.ts DATABASE_URL PORT TOKEN_HASH ARMED_FILE POINT
 *
 * POINT: `begin`, before the first statement; `statement:N`, after the Nth; `work`, before the commit; `commit`, after it and before the
 * answer. It counts only while ARMED_FILE is there.
 */
import { existsSync } from 'node:fs'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { parseControlConfig } from '../../src/control/config.ts'
import { createControl } from '../../src/control/control.ts'
import type { Database } from '../../src/control/db/client.ts'
import { auditLog } from '../../src/control/db/schema-log.ts'
import type { Tx } from '../../src/control/db/transaction.ts'

const [, , url = '', port = '', adminTokenHash = '', armed = '', point = ''] = process.argv

const reached = (name: string): void => {
  if (name === point && existsSync(armed)) process.kill(process.pid, 'SIGKILL')
}

/** Counts what is sent; the query builders of a transaction are counted by their statements, too. `onAudit`: it is a change, no chore. */
function counting(tx: Tx, onAudit: () => void): Tx {
  let count = 0
  const counted = new Set(['execute', 'insert', 'update', 'delete', 'select'])
  return new Proxy(tx, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== 'function') return member
      if (typeof key !== 'string' || !counted.has(key)) return member.bind(target)
      return (...args: unknown[]) => {
        reached(`statement:${count++}`)
        if (args[0] === auditLog) onAudit()
        return Reflect.apply(member, target, args)
      }
    },
  })
}

const wrapDatabase = (database: Database): Database => ({
  ...database,
  async transaction(work, options = {}) {
    if (options.readOnly === true) return database.transaction(work, options)
    reached('begin')
    let isChange = false
    const result = await database.transaction(async tx => {
      const done = await work(
        counting(tx, () => {
          isChange = true
        }),
      )
      if (isChange) reached('work')
      return done
    }, options)
    if (isChange) reached('commit')
    return result
  },
})

const parsed = parseControlConfig({ text: null, fileName: null, env: {} })
if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
const control = createControl({
  config: { ...parsed.config, listen: { host: '127.0.0.1', port: Number(port) }, database: { url } },
  logger: pino({ level: 'warn' }),
  registry: new Registry(),
  version: '0.0.0-test',
  adminTokenHash,
  processMetrics: false,
  wrapDatabase,
})
await control.start()
await control.ready()
process.stdout.write('ready\n')
