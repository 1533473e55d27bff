/**
 * One control plane of several on a database: many clients that claim numbers at once. Arguments: what to do, the URL, its name, how many
 * clients, and the range of the pool. It tells what each client was told in JSON lines.
 */
import { writeSync } from 'node:fs'
import { pino } from 'pino'
import { openDatabase } from '../../src/control/db/client.ts'
import { parsePortSet } from '../../src/core/port-set.ts'
import { makeScene, rulesOf } from '../control/ports/port-scene.ts'

const [action = '', url = '', name = '', clients = '', range = ''] = process.argv.slice(2)
const tell = (fact: unknown): void => void writeSync(1, `${JSON.stringify(fact)}\n`)

const parsed = parsePortSet(range)
if (!parsed.ok) throw new Error(parsed.faults.join())
const database = await openDatabase({
  url,
  directory: '/nonexistent',
  logger: pino({ level: 'silent' }),
  limits: { poolSize: 6 },
  gate: { waitMs: 30_000 },
})
const scene = makeScene(database, rulesOf({ tcp: { range: parsed.ports.list(), shared: [] } }))
const all = Array.from({ length: Number(clients) }, (_, index) => `${name}-${index}`)

async function claim(id: string): Promise<void> {
  const result = await scene.claim(id, { project: name })
  tell(result.ok ? { id, port: result.first } : { id, code: result.problem.code, counts: result.problem.counts })
}

/** Claims, gives up half-way, releases and claims again, for ever: until it is killed. */
async function churn(id: string): Promise<void> {
  for (let round = 0; ; round++) {
    const port = `${id}-${round}`
    if (round % 3 === 2) {
      await scene
        .change(async change => {
          await scene.addPort(change, port, name, 'tcp')
          throw new Error('gave up')
        })
        .catch(() => {})
      continue
    }
    const result = await scene.claim(port, { project: name })
    tell({ claimed: port, ok: result.ok })
    if (result.ok) {
      await scene.release(port)
      tell({ released: port })
    }
  }
}

tell({ ready: name })
await Promise.all(all.map(action === 'claim' ? claim : churn))
await database.close()
