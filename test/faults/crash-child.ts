/** An agent that dies while it plans a state with a route named `poison`: run by crash-loop.test.ts. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createAgent } from '../../src/agent/agent.ts'
import { parseAgentConfig } from '../../src/agent/config.ts'

const [settings = ''] = process.argv.slice(2)
const parsed = parseAgentConfig({ text: settings, fileName: null, env: {} })
if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
const agent = createAgent({
  config: parsed.config,
  logger: pino({ level: 'error' }),
  registry: new Registry(),
  version: '0.0.0-test',
  ownAddresses: () => [],
  tamper(config) {
    if (config.tcp?.routers?.tcp_poison !== undefined) process.kill(process.pid, 'SIGKILL')
    return config
  },
})
const { provider } = await agent.start()
process.stdout.write(`${provider}\n`)
