/**
 * What the agent costs while nothing happens, with 100 routes and real Traefik on loopback: `npm run bench:idle`.
 *
 * Two agents side by side, each with a Traefik of its own, for the same minute: one whose polls are held for 25 s (the static file that
 * Fairlead makes), and, as the rival, the same agent polled every 100 ms without a hold, which is what the same reaction time costs
 * otherwise. The processor time is that of the real processes, from /proc.
 *
 *   --routes 100   --seconds 60   --json
 */
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startTcpBackend } from '../../test/support/backends.ts'
import { freePorts } from '../../test/support/ports.ts'
import { cpuSeconds, residentMegabytes } from './process-use.ts'
import { type AgentWay, startAgentWay } from './ways.ts'

// The first seconds have the reading of what Traefik's other providers say, and garbage of the start.
const SETTLE_MS = 10_000

type Idle = {
  readonly name: string
  /** Seconds of processor time over the whole run. */
  readonly agentCpu: number
  readonly traefikCpu: number
  readonly agentMegabytes: number
  readonly traefikMegabytes: number
}

const { values } = parseArgs({
  options: {
    routes: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)

async function measure(): Promise<readonly Idle[]> {
  const backend = await startTcpBackend({ name: 'first' })
  const ways: { readonly name: string; readonly way: AgentWay; readonly agentPid: number }[] = []
  try {
    const ports = await freePorts(Number(values.routes), 'tcp')
    const state = ports.map((externalPort, i) => ({ id: `route-${i}`, externalPort, upstreams: [backend.address] }))
    const setting = { ports, states: [state], certificate: true }
    for (const { name, host, hold } of [
      { name: 'held polls, 25 s', host: '127.0.0.1', hold: '?hold=25s' },
      { name: 'polled every 100 ms', host: '127.0.0.2', hold: '' },
    ]) {
      const way = await startAgentWay({ setting, host, name: 'files', hold })
      ways.push({ name, way, agentPid: way.agentPid ?? 0 })
    }
    await delay(SETTLE_MS)
    const use = () =>
      ways.map(({ way, agentPid }) => ({ agent: cpuSeconds(agentPid), traefik: cpuSeconds(way.traefikPid) }))
    const before = use()
    await delay(seconds * 1000)
    const after = use()
    return ways.map(({ name, way, agentPid }, i) => ({
      name,
      agentCpu: (after[i]?.agent ?? 0) - (before[i]?.agent ?? 0),
      traefikCpu: (after[i]?.traefik ?? 0) - (before[i]?.traefik ?? 0),
      agentMegabytes: residentMegabytes(agentPid),
      traefikMegabytes: residentMegabytes(way.traefikPid),
    }))
  } finally {
    for (const { way } of ways) await way.stop()
    await backend.close()
  }
}

const results = await measure()
const load = { cores: availableParallelism(), now: loadavg()[0] }
if (values.json) {
  console.log(JSON.stringify({ routes: Number(values.routes), seconds, load, results }, null, 2))
} else {
  console.log(`${values.routes} routes, nothing changes for ${seconds} s; CPU seconds and memory (MB)`)
  const columns = ['agent CPU', 'Traefik CPU', 'agent RSS', 'Traefik RSS']
  console.log(`${''.padEnd(24)}${columns.map(column => column.padStart(12)).join('')}`)
  for (const { name, agentCpu, traefikCpu, agentMegabytes, traefikMegabytes } of results) {
    const cells = [agentCpu.toFixed(2), traefikCpu.toFixed(2), agentMegabytes.toFixed(0), traefikMegabytes.toFixed(0)]
    console.log(`${name.padEnd(24)}${cells.map(cell => cell.padStart(12)).join('')}`)
  }
  const [held, polled] = results
  if (held !== undefined && polled !== undefined && held.agentCpu > 0)
    console.log(`agent, polled / held: ${(polled.agentCpu / held.agentCpu).toFixed(1)} x the processor time`)
  console.log(`load of the machine (${load.cores} cores): ${load.now}`)
}
