/** A real Prometheus for one test: its own folder and port, one scrape job, gone at the end. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { freePort } from './ports.ts'
import { startProcess } from './program.ts'
import { tempFolder } from './temp-folder.ts'
import { waitFor } from './wait-for.ts'

export type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }

export type TestPrometheus = {
  /** Asks for an instant vector now; rejects when Prometheus does not take the query. */
  query(expr: string): Promise<readonly Sample[]>
  /** GET of a path under `/api/v1`; its `data`. */
  get(path: string): Promise<unknown>
}

const SCRAPE_INTERVAL = '250ms'

/** @param target `127.0.0.1:PORT` of an agent's admin endpoint, scraped four times a second as job `fairlead-agent` */
export async function startPrometheus(target: string, ruleFiles: readonly string[]): Promise<TestPrometheus> {
  const folder = await tempFolder()
  const port = await freePort('tcp')
  const config = {
    global: { scrape_interval: SCRAPE_INTERVAL, scrape_timeout: SCRAPE_INTERVAL, evaluation_interval: '1s' },
    rule_files: ruleFiles,
    scrape_configs: [{ job_name: 'fairlead-agent', static_configs: [{ targets: [target] }] }],
  }
  const file = join(folder, 'prometheus.json')
  await writeFile(file, JSON.stringify(config))
  const program = startProcess([
    'prometheus',
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ])
  const base = `http://127.0.0.1:${port}`
  await waitFor(async () => (await fetch(`${base}/-/ready`)).ok, { what: 'Prometheus', timeoutMs: 30_000 }).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}\n${program.err()}`)
    },
  )
  async function get(path: string): Promise<unknown> {
    const response = await fetch(`${base}/api/v1${path}`)
    const answer: unknown = await response.json()
    if (typeof answer !== 'object' || answer === null || !('data' in answer))
      throw new Error(`${path}: ${JSON.stringify(answer)}`)
    return answer.data
  }
  return {
    get,
    async query(expr) {
      const data = await get(`/query?query=${encodeURIComponent(expr)}`)
      return samplesOf(data)
    },
  }
}

const vector = z.object({
  result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
})

const samplesOf = (data: unknown): Sample[] =>
  vector.parse(data).result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }))
