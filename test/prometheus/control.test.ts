/** promtool has nothing to say against the metrics of a control plane. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { createCensus } from '../../src/control/metrics/census.ts'
import { createControlMetrics } from '../../src/control/metrics.ts'
import { settingsRules } from '../../src/control/stranded.ts'
import { atEnd } from '../support/at-end.ts'
import { controlConfig } from '../support/control-app.ts'
import { openMemoryDatabase } from '../support/database.ts'
import { part } from '../support/parts.ts'

async function promtool(text: string): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn('promtool', ['check', 'metrics'], { stdio: 'pipe' })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', chunk => {
      said += chunk
    })
  child.stdin.end(text)
  const [code] = await once(child, 'close')
  return { code, said }
}

describe.skipIf(!part('prometheus'))('the metrics of a control plane', () => {
  test('are as Prometheus wants them', async () => {
    const database = await openMemoryDatabase()
    atEnd(() => database.close())
    const metrics = createControlMetrics({ registry: new Registry(), version: '1.2.3' })
    const jobs = [{ name: 'a-job', lastAttemptAt: 1_000, lastSuccessAt: 1_000, succeeded: 2, failed: 1 }]
    metrics.observe(
      async () => ({
        ...{ ready: true, connections: 3, database: database.stats(), jobs },
        hub: { listening: true, waiting: 2, subscribers: 1, lastReadAt: 1_000 },
      }),
      createCensus(
        database,
        async () => settingsRules(controlConfig()),
        () => performance.now(),
      ),
    )
    metrics.answered({ method: 'GET', route: '/api/v1/services/:id', status: 200, durationMs: 3 })
    metrics.answered({ method: 'GET', route: null, status: 404, durationMs: 1 })
    metrics.databaseFailed()
    const text = await metrics.text()
    expect(text).toContain('\nfairlead_control_job_runs_total{job="a-job",result="failed"} 1\n')
    expect(text).toContain('\nfairlead_control_nodes{status="active"} 0\n')
    expect(text).toContain('\nfairlead_control_requests_total{method="GET",route="none",status="404"} 1\n')
    // A second scrape must not count twice what is only read.
    expect(await metrics.text()).toContain('\nfairlead_control_job_runs_total{job="a-job",result="failed"} 1\n')
    expect(await promtool(text)).toEqual({ code: 0, said: '' })
  })
})
