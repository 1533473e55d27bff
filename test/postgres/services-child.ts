/**
 * One control plane of several on a database, asked by many clients at once over HTTP. Arguments: what they ask, the URL, its name, how many.
 * It tells what each client was told in JSON lines.
 */
import { writeSync } from 'node:fs'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { hashSecret, makeApiToken } from '../../src/control/access/secret.ts'
import { parseControlConfig } from '../../src/control/config.ts'
import { openDatabase } from '../../src/control/db/client.ts'
import { createApp } from '../../src/control/http/app.ts'
import { createHub } from '../../src/control/hub.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'

const [action = '', url = '', name = '', clients = '', projectId = ''] = process.argv.slice(2)
const tell = (fact: unknown): void => void writeSync(1, `${JSON.stringify(fact)}\n`)

const logger = pino({ level: 'silent' })
const clock = SYSTEM_CLOCK
const text = 'ports: { tcp: 10000-10149, udp: none, shared: "443" }\npublicHost: proxy.example.com'
const parsed = parseControlConfig({ text, fileName: null, env: {} })
if (!parsed.ok) throw new Error(parsed.faults.join())
const database = await openDatabase({
  url,
  directory: '/nonexistent',
  logger,
  limits: { poolSize: 6 },
  gate: { waitMs: 30_000 },
})
const hub = createHub({ database, clock, logger })
hub.start()
const token = makeApiToken()
const deps = {
  database,
  clock,
  logger,
  hub,
  config: parsed.config,
  registry: new Registry(),
  adminTokenHash: hashSecret(token),
}
const many = 1_000_000
const app = createApp(deps, {
  limits: { perActor: many, perAddress: many, failuresPerMinute: many, atOnce: many },
  load: { maxLoopDelayMs: many },
})

/** What many want and one can have. */
const WISHES: Readonly<Record<string, object>> = {
  number: { ports: [{ port: 5432, protocol: 'tcp', externalPort: 10_007 }] },
  host: { ports: [{ port: 5432, protocol: 'tcp', shared: 443, sniHostname: 'db.example.com' }] },
  domain: { ports: [{ port: 80, protocol: 'http', domain: 'app.example.com' }] },
  name: { name: 'one', ports: [{ port: 80, protocol: 'tcp', isPublic: false }] },
}

/** The wish of a client: a number of its own for each, or in turns what others want as well. */
function wishOf(client: number): { readonly wish: string; readonly body: object } {
  if (action === 'expose') return { wish: action, body: { ports: [{ port: 5432, protocol: 'tcp' }] } }
  const names = Object.keys(WISHES)
  const wish = names[client % names.length] ?? ''
  return { wish, body: WISHES[wish] ?? {} }
}

async function ask(client: number): Promise<void> {
  const { wish, body } = wishOf(client)
  const reply = await app.inject({
    method: 'POST',
    url: '/api/v1/services',
    headers: { authorization: `Bearer ${token}` },
    payload: { projectId, name: `${name}-${client}`, ...body },
  })
  const json = reply.json()
  const status = reply.statusCode
  tell(
    status === 201
      ? { wish, status, id: json.id, port: json.ports[0].externalPort }
      : { wish, status, code: json.code },
  )
}

await Promise.all(Array.from({ length: Number(clients) }, (_, client) => ask(client)))
await app.close()
await hub.stop()
await database.close()
