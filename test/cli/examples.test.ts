import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { AGENT_SETTINGS, parseAgentConfig } from '../../src/agent/config.ts'
import { runCli } from '../support/cli.ts'

const proxy = (name: string): string => fileURLToPath(new URL(`../../proxy/${name}`, import.meta.url))

test('the checked-in static file is what the command makes', async () => {
  const { code, out, err } = await runCli(['static-config'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(await readFile(proxy('traefik.yaml'), 'utf8')).toBe(out)
})

test('the example routes are all accepted, without a note', async () => {
  const { code, out } = await runCli(['check', proxy('routes.d'), '--config', proxy('agent.yaml')])
  expect({ code, out }).toEqual({ code: 0, out: 'routes: 9 accepted; files: 1\n' })
})

test('the example routes use all three lists', async () => {
  const example = parse(await readFile(proxy('routes.d/example.yaml'), 'utf8'))
  expect(Object.keys(example)).toEqual(['routes', 'tcpRoutes', 'udpRoutes'])
})

test('the example settings are the defaults, with a source and an API', async () => {
  const text = await readFile(proxy('agent.yaml'), 'utf8')
  const parsed = parseAgentConfig({ text, fileName: 'agent.yaml', env: {}, hostName: 'host-1' })
  const defaults = parseAgentConfig({
    text: 'sources: { files: { directory: /etc/fairlead/routes.d } }\ntraefik: { api: http://127.0.0.1:8080 }',
    fileName: null,
    env: {},
    hostName: 'host-1',
  })
  // Sets of ports hold functions, which are never equal; as text they are.
  expect(JSON.stringify(parsed, bigintAsText)).toBe(JSON.stringify(defaults, bigintAsText))
  expect(parsed.ok).toBe(true)
})

test('the example settings name every key, and are right when all are set', async () => {
  // A key that is commented out stands directly behind its sign, or two blanks further in; words stand one blank behind it.
  const text = (await readFile(proxy('agent.yaml'), 'utf8')).replaceAll(/^( *)#(?! \S)/gm, '$1')
  const parsed = parseAgentConfig({ text, fileName: 'agent.yaml', env: {} })
  expect(parsed.ok ? [] : parsed.faults).toEqual([])
  const written = text.split('\n').map(line => /^ *(\w+):/.exec(line)?.[1])
  expect(AGENT_SETTINGS.map(({ key }) => key.split('.').at(-1)).filter(key => !written.includes(key))).toEqual([])
})

const bigintAsText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
