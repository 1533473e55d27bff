/**
 * How long a change takes from its source to new connections, with real Traefik on loopback: `npm run bench:propagation`.
 *
 *   change: the upstream of one route flips between two servers that say their name
 *   end:    the first new connection through Traefik that the other server answers; one connection after the other, pauses of 1 to 2 ms
 *
 * Five ways in one run, taking turns in an order drawn anew for each round: the agent with a folder of files, the agent with a control
 * plane that holds its answer, Traefik's own file provider (the limit), the same once more without a default certificate, and Traefik's
 * HTTP provider as it comes (5 s, throttle 2 s). All but the last have a throttle of 100 ms, as in the static file that Fairlead makes.
 * All get the same bytes, but for the default certificate: Traefik without one makes an RSA key at each change, which takes it most of
 * the time. The agent gives it one; whoever writes files for Traefik by hand may or may not.
 *
 *   --entry-points 2,200   sizes; a route stands on each entry point
 *   --changes 40           of each way; --stock-changes 12 of the last one, which takes seconds each
 *   --certificate auto     `off`: the agent gives none, so nobody has one. `auto,off`: both.
 *   --json                 figures for a program
 */
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startTcpBackend } from '../../test/support/backends.ts'
import { freePorts } from '../../test/support/ports.ts'
import { type Ratio, ratioOfMedians, type Spread, shuffled, spreadOf } from './numbers.ts'
import { untilAnswers } from './probe.ts'
import { cpuSeconds } from './process-use.ts'
import { startAgentWay, startFileProvider, startStock, type Way, type WayName, withoutCertificate } from './ways.ts'

const STOCK_INTERVAL_MS = 5_000
const LONGEST_MS = 30_000

/** At the least between two changes; with the other ways in between, each one rests for longer than any throttle. */
const PAUSE_MS = 200

const LABELS: Readonly<Record<WayName, string>> = {
  files: 'Fairlead, folder of files',
  'control-plane': 'Fairlead, control plane',
  'file-provider': "Traefik's file provider",
  'bare-file-provider': 'the same, no certificate',
  stock: 'stock polling, 5 s and 2 s',
}

type WayResult = {
  readonly way: WayName
  readonly changes: number
  readonly ms: Spread
  /** Seconds of processor time over the whole run of this size, the probing through Traefik included. */
  readonly cpu: { readonly traefik: number; readonly agent: number | null }
}

type SizeResult = {
  readonly entryPoints: number
  /** The agent gives Traefik its default certificate. */
  readonly certificate: boolean
  readonly ways: readonly WayResult[]
  readonly ratios: {
    readonly filesToFileProvider: Ratio
    readonly controlPlaneToFileProvider: Ratio
    /** Null when nobody has a certificate: then the two file providers would be the same. */
    readonly filesToBareFileProvider: Ratio | null
    readonly controlPlaneToBareFileProvider: Ratio | null
    readonly stockToFiles: Ratio | null
    readonly stockToControlPlane: Ratio | null
  }
}

function routesTo(upstream: string, ports: readonly number[], others: string): readonly unknown[] {
  return ports.map((externalPort, index) => ({
    id: `route-${index}`,
    externalPort,
    upstreams: [index === 0 ? upstream : others],
  }))
}

type Run = {
  readonly entryPoints: number
  readonly changes: number
  readonly stockChanges: number
  /** The agent gives Traefik its default certificate. */
  readonly certificate: boolean
}

async function measure({ entryPoints, changes, stockChanges, certificate }: Run): Promise<SizeResult> {
  const backends = [await startTcpBackend({ name: 'first' }), await startTcpBackend({ name: 'second' })]
  const ways: Way[] = []
  try {
    const ports = await freePorts(entryPoints, 'tcp')
    const [probed = 0] = ports
    const others = backends[0]?.address ?? ''
    const states = backends.map(({ address }) => routesTo(address, ports, others))
    const setting = { ports, states, certificate }

    const now = new Map<WayName, number>()
    async function changeAfter(way: Way, pauseMs: number): Promise<number> {
      const to = 1 - (now.get(way.name) ?? 0)
      now.set(way.name, to)
      await way.prepare(to)
      await delay(pauseMs)
      const at = way.change(to)
      return (await untilAnswers({ host: way.host, port: probed }, backends[to]?.name ?? '', LONGEST_MS)) - at
    }

    const files = await startAgentWay({ setting, host: '127.0.0.1', name: 'files' })
    ways.push(files)
    ways.push(await startAgentWay({ setting, host: '127.0.0.2', name: 'control-plane' }))
    const bodies = [await files.body()]
    await changeAfter(files, PAUSE_MS)
    bodies.push(await files.body())
    ways.push(await startFileProvider(setting, '127.0.0.3', 'file-provider', bodies))
    if (certificate)
      ways.push(await startFileProvider(setting, '127.0.0.5', 'bare-file-provider', bodies.map(withoutCertificate)))
    const stock = stockChanges > 0 ? await startStock(setting, '127.0.0.4', bodies) : null
    if (stock !== null) ways.push(stock)
    const quick = ways.filter(way => way !== stock)
    for (const way of ways)
      await untilAnswers({ host: way.host, port: probed }, backends[now.get(way.name) ?? 0]?.name ?? '', LONGEST_MS)
    // Once each way, not counted: what is loaded at first use is loaded then.
    for (const way of quick) await changeAfter(way, PAUSE_MS)

    const took = new Map<WayName, number[]>(ways.map(({ name }) => [name, []]))
    const usedBefore = ways.map(use)
    for (let round = 0; round < changes; round++) {
      for (const way of shuffled(quick)) {
        took.get(way.name)?.push(await changeAfter(way, PAUSE_MS * (1 + 0.5 * Math.random())))
      }
      const done = took.get('stock')?.length ?? 0
      if (stock !== null && done < Math.ceil(((round + 1) * stockChanges) / changes)) {
        // Changes come at any moment of the interval: here at as many moments as there are changes, one in each part of it.
        const pauseMs = ((done + Math.random()) / stockChanges) * STOCK_INTERVAL_MS
        took.get(stock.name)?.push(await changeAfter(stock, pauseMs))
      }
      progress(`${entryPoints} entry points: round ${round + 1} of ${changes}`)
    }
    const usedAfter = ways.map(use)

    const results = ways.map((way, i): WayResult => {
      const [before, after] = [usedBefore[i], usedAfter[i]]
      const values = took.get(way.name) ?? []
      return {
        way: way.name,
        changes: values.length,
        ms: spreadOf(values),
        cpu: {
          traefik: (after?.traefik ?? 0) - (before?.traefik ?? 0),
          agent: way.agentPid === null ? null : (after?.agent ?? 0) - (before?.agent ?? 0),
        },
      }
    })
    const of = (name: WayName): readonly number[] => took.get(name) ?? []
    return {
      entryPoints,
      certificate,
      ways: results,
      ratios: {
        filesToFileProvider: ratioOfMedians(of('files'), of('file-provider')),
        controlPlaneToFileProvider: ratioOfMedians(of('control-plane'), of('file-provider')),
        filesToBareFileProvider: certificate ? ratioOfMedians(of('files'), of('bare-file-provider')) : null,
        controlPlaneToBareFileProvider: certificate
          ? ratioOfMedians(of('control-plane'), of('bare-file-provider'))
          : null,
        stockToFiles: stock === null ? null : ratioOfMedians(of('stock'), of('files')),
        stockToControlPlane: stock === null ? null : ratioOfMedians(of('stock'), of('control-plane')),
      },
    }
  } finally {
    for (const way of ways) await way.stop()
    for (const backend of backends) await backend.close()
  }
}

const use = ({ traefikPid, agentPid }: Way) => ({
  traefik: cpuSeconds(traefikPid),
  agent: agentPid === null ? 0 : cpuSeconds(agentPid),
})

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text} `)
}

function print({ entryPoints, certificate, ways, ratios }: SizeResult): void {
  const ms = (value: number): string => value.toFixed(1).padStart(9)
  console.log(
    `\n${entryPoints} TCP entry points, a route on each; ${certificate ? '' : 'no default certificate; '}milliseconds from the change to the first connection that has it`,
  )
  console.log(
    `${''.padEnd(28)}${['p50', 'p90', 'p99', 'min', 'changes', 'CPU s agent', 'CPU s Traefik'].map(h => h.padStart(9)).join(' ')}`,
  )
  for (const { way, changes, ms: spread, cpu } of ways) {
    const numbers = [spread.p50, spread.p90, spread.p99, spread.min].map(ms).join(' ')
    const agent = cpu.agent === null ? '-' : cpu.agent.toFixed(2)
    console.log(
      `${LABELS[way].padEnd(28)}${numbers} ${String(changes).padStart(9)} ${agent.padStart(11)} ${cpu.traefik.toFixed(2).padStart(13)}`,
    )
  }
  const ratio = (label: string, found: Ratio | null, aim: string): void => {
    if (found !== null)
      console.log(
        `${label.padEnd(52)}${found.ratio.toFixed(2)}  (95 % within ${found.low.toFixed(2)} to ${found.high.toFixed(2)}; ${aim})`,
      )
  }
  ratio('p50 Fairlead, files / file provider', ratios.filesToFileProvider, 'aim: at most 1.25')
  ratio('p50 Fairlead, control plane / file provider', ratios.controlPlaneToFileProvider, 'aim: at most 1.25')
  ratio('p50 Fairlead, files / file provider, no certificate', ratios.filesToBareFileProvider, 'for comparison')
  ratio('p50 Fairlead, control plane / the same', ratios.controlPlaneToBareFileProvider, 'for comparison')
  ratio('p50 stock / Fairlead, files', ratios.stockToFiles, 'aim: at least 20')
  ratio('p50 stock / Fairlead, control plane', ratios.stockToControlPlane, 'aim: at least 20')
}

const { values } = parseArgs({
  options: {
    'entry-points': { type: 'string', default: '2,200' },
    changes: { type: 'string', default: '40' },
    'stock-changes': { type: 'string', default: '12' },
    certificate: { type: 'string', default: 'auto' },
    json: { type: 'boolean', default: false },
  },
})

const before = loadavg()[0]
const results: SizeResult[] = []
for (const size of values['entry-points'].split(',')) {
  for (const certificate of values.certificate.split(',')) {
    const result = await measure({
      entryPoints: Number(size),
      changes: Number(values.changes),
      stockChanges: Number(values['stock-changes']),
      certificate: certificate !== 'off',
    })
    results.push(result)
    if (!values.json) print(result)
  }
}
const load = { cores: availableParallelism(), before, after: loadavg()[0] }
if (values.json) console.log(JSON.stringify({ load, results }, null, 2))
else console.log(`\nload of the machine (${load.cores} cores): ${load.before} before, ${load.after} after`)
