/**
 * What a control plane takes, and how fast a change is everywhere: `npm run bench:control`. All of it on loopback, on this machine.
 *
 *   creates   50 clients make services with a TCP port each, over HTTP; on PostgreSQL and on the embedded database
 *   fan-out   1,000 agents that sign their requests wait for a change; from the request that makes it to the last agent that was sent it
 *
 * The fan-out has three ways in one run, one after the other, on one database: held polls; the same agents that poll every 5 s, as those of
 * a control plane do that cannot hold; and a server that reads the routes for each agent, as one writes it first.
 *
 *   --agents 1000  --routes 200  --changes 5  --creates 500  --json
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { generateKey } from '../../src/agent/identity.ts'
import { nodes } from '../../src/control/db/schema-nodes.ts'
import { type ControlProgram, startControlProgram } from '../../test/support/control-program.ts'
import { openServerDatabase, startTestPostgres } from '../../test/support/database.ts'
import type { AgentsSent, StartAgents } from './control-agents.ts'
import { quantile, type Spread, spreadOf } from './numbers.ts'
import { cpuSeconds, residentMegabytes } from './process-use.ts'

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    routes: { type: 'string', default: '200' },
    changes: { type: 'string', default: '5' },
    creates: { type: 'string', default: '500' },
    json: { type: 'boolean', default: false },
  },
})
const count = (name: 'agents' | 'routes' | 'changes' | 'creates'): number => Number(values[name])

const CLIENTS = 50
const POLL_MS = 5_000
const PROCESSES = 2
const IDLE_MS = 5_000
/** More than there are makes. */
const SETTINGS = { ports: { tcp: '10000-29999', udp: 'none' } }

const say = (text: string): void => {
  if (!values.json) console.log(text)
}

// --------------------------------------------------------------------------------------------------------------------- creates

type Creates = { readonly database: string; readonly perSecond: number; readonly ms: Spread }

let made = 0
/** Creates that were sent away for a moment. */
let shed = 0
async function makeService(plane: ControlProgram, projectId: string): Promise<void> {
  made += 1
  const body = {
    ...{ projectId, name: `service-${made}`, endpoints: [{ address: '10.200.1.5' }] },
    ports: [{ port: 5432, protocol: 'tcp' }],
  }
  for (;;) {
    const { status, json } = await plane.ask('POST', '/services', body)
    if (status === 201) return
    // A machine that is busy with others is late: what one is told to do then counts, too.
    if (status !== 503) throw new Error(JSON.stringify(json))
    shed += 1
    await delay(1000 * Number(json.retryAfterSeconds ?? 1))
  }
}

const makeProject = async (plane: ControlProgram): Promise<string> =>
  (await plane.ask('POST', '/projects', { name: 'bench' })).json.id

async function makeMany(plane: ControlProgram, projectId: string, total: number): Promise<number[]> {
  const took: number[] = []
  let left = total
  const client = async () => {
    while (left > 0) {
      left -= 1
      const since = performance.now()
      await makeService(plane, projectId)
      took.push(performance.now() - since)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return took
}

async function measureCreates(database: string, plane: ControlProgram, projectId: string): Promise<Creates> {
  await makeMany(plane, projectId, CLIENTS)
  const since = performance.now()
  const took = await makeMany(plane, projectId, count('creates'))
  return { database, perSecond: took.length / ((performance.now() - since) / 1000), ms: spreadOf(took) }
}

// --------------------------------------------------------------------------------------------------------------------- fan-out

type FanOut = {
  readonly way: string
  /** From the request to the last agent, and to half of them; milliseconds, the median of the changes. */
  readonly lastMs: number
  readonly halfMs: number
  /** Seconds of processor time of the server: for each change, and in ten seconds without any. */
  readonly cpuPerChange: number
  readonly cpuIdle: number
  readonly residentMegabytes: number
  readonly failures: number
}

type Keys = readonly { readonly id: string; readonly privateKeyPem: string }[]

async function makeNodes(url: string, total: number): Promise<Keys> {
  const keys = Array.from({ length: total }, (_, i) => ({ id: `srv_bench_${i}`, name: `bench-${i}`, ...generateKey() }))
  const database = await openServerDatabase(url)
  await database.transaction(tx =>
    tx
      .insert(nodes)
      .values(keys.map(({ id, name, publicKey }) => ({ id, name, publicKey, enrolledEpoch: 1, enrolledRevision: 0 }))),
  )
  await database.close()
  return keys.map(({ id, privateKeyPem }) => ({ id, privateKeyPem }))
}

function startAgents(url: string, keys: Keys, everyMs: number | null) {
  let sentAt: number[] = []
  let failures = 0
  const children = Array.from({ length: PROCESSES }, (_, i): ChildProcess => {
    const child = fork(join(import.meta.dirname, 'control-agents.ts'))
    child.on('message', (message: AgentsSent) => {
      sentAt.push(...message.sentAt)
      failures += message.failures
    })
    const start: StartAgents = { url, everyMs, nodes: keys.filter((_key, index) => index % PROCESSES === i) }
    child.send(start)
    return child
  })
  return {
    /** The moments of the first so many documents. */
    async sent(total: number, withinMs: number): Promise<readonly number[]> {
      const until = Date.now() + withinMs
      while (sentAt.length < total) {
        if (Date.now() > until) throw new Error(`${sentAt.length} of ${total} agents were sent it in ${withinMs} ms`)
        await delay(10)
      }
      return sentAt.splice(0, total).sort((a, b) => a - b)
    },
    failures: () => failures,
    async stop() {
      for (const child of children) {
        const exit = once(child, 'exit')
        child.disconnect()
        await exit
      }
      sentAt = []
    },
  }
}

type Way = {
  readonly name: string
  readonly url: string
  readonly pid: number
  readonly everyMs: number | null
  readonly keys: Keys
  readonly change: () => Promise<void>
}

async function measureFanOut({ name, url, pid, everyMs, keys, change }: Way): Promise<FanOut> {
  const agents = startAgents(url, keys, everyMs)
  try {
    await agents.sent(keys.length, 60_000)
    await delay(1_000)
    const idleBefore = cpuSeconds(pid)
    await delay(IDLE_MS)
    const cpuIdle = ((cpuSeconds(pid) - idleBefore) * 10_000) / IDLE_MS
    const last: number[] = []
    const half: number[] = []
    const before = cpuSeconds(pid)
    for (let i = 0; i < count('changes'); i++) {
      const at = Date.now()
      await change()
      const moments = await agents.sent(keys.length, 60_000)
      last.push((moments.at(-1) ?? Number.NaN) - at)
      half.push(quantile(moments, 0.5) - at)
      await delay(200)
    }
    return {
      ...{ way: name, lastMs: quantile(last, 0.5), halfMs: quantile(half, 0.5), cpuIdle },
      cpuPerChange: (cpuSeconds(pid) - before) / count('changes'),
      residentMegabytes: residentMegabytes(pid),
      failures: agents.failures(),
    }
  } finally {
    await agents.stop()
  }
}

async function startNaive(url: string) {
  const child = fork(join(import.meta.dirname, 'control-naive.ts'), [url])
  const [address] = await once(child, 'message')
  return { url: String(address), pid: child.pid ?? 0, stop: () => void child.disconnect() }
}

// -------------------------------------------------------------------------------------------------------------------------- run

async function main(): Promise<void> {
  const processors = `${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)} at the start`
  say(processors)
  const embedded = await startControlProgram({ databaseUrl: null, settings: SETTINGS })
  const creates = [await measureCreates('embedded', embedded, await makeProject(embedded))]
  await embedded.stop()
  const postgres = await startTestPostgres()
  const plane = await startControlProgram({ databaseUrl: postgres.url, settings: SETTINGS })
  const projectId = await makeProject(plane)
  creates.push(await measureCreates('PostgreSQL', plane, projectId))
  say(`\ncreates: ${count('creates')} services with a port each, ${CLIENTS} clients`)
  for (const { database, perSecond, ms } of creates)
    say(
      `  ${database.padEnd(12)} ${perSecond.toFixed(0).padStart(6)}/s   p50 ${ms.p50.toFixed(0)} ms   p99 ${ms.p99.toFixed(0)} ms`,
    )

  if (shed > 0)
    say(`  ${shed} were sent away for a moment, since the process was late: this machine has too much to do`)

  const keys = await makeNodes(postgres.url, count('agents'))
  // Only as many routes as are wanted: what the creates left is more than that, or the rest is made now.
  const missing = count('routes') - count('creates') - CLIENTS
  if (missing > 0) await makeMany(plane, projectId, missing)
  const change = () => makeService(plane, projectId)
  const shared = { url: plane.url, pid: plane.pid(), keys, change }
  const fanOut = [
    await measureFanOut({ ...shared, name: 'held polls', everyMs: null }),
    await measureFanOut({ ...shared, name: 'polls every 5 s', everyMs: POLL_MS }),
  ]
  const naive = await startNaive(postgres.url)
  fanOut.push(await measureFanOut({ ...naive, keys, change, name: 'a reading for each agent', everyMs: null }))
  naive.stop()
  const routes = Math.max(count('routes'), count('creates') + CLIENTS)
  say(`\nfan-out: ${keys.length} agents, ${routes} routes and more, ${count('changes')} changes`)
  say(
    `  ${''.padEnd(26)}${'last'.padStart(9)}${'half'.padStart(9)}${'CPU/change'.padStart(12)}${'CPU idle/10s'.padStart(14)}${'RSS'.padStart(9)}`,
  )
  const seconds = (value: number) => `${value.toFixed(2)} s`
  for (const { way, lastMs, halfMs, cpuPerChange, cpuIdle, residentMegabytes: mb, failures } of fanOut)
    say(
      `  ${way.padEnd(26)}${`${lastMs} ms`.padStart(9)}${`${halfMs} ms`.padStart(9)}${seconds(cpuPerChange).padStart(12)}` +
        `${seconds(cpuIdle).padStart(14)}${`${mb.toFixed(0)} MB`.padStart(9)}${failures > 0 ? `   ${failures} failed` : ''}`,
    )
  const [held, ...rivals] = fanOut
  if (held !== undefined)
    for (const rival of rivals)
      say(
        `  against ${rival.way}: last ${(rival.lastMs / held.lastMs).toFixed(1)} x sooner, ` +
          `CPU/change ${(rival.cpuPerChange / held.cpuPerChange).toFixed(1)} x less`,
      )
  if (values.json) console.log(JSON.stringify({ processors, creates, fanOut }))
  await plane.stop()
  await postgres.stop()
}

await main()
process.exit(0)
