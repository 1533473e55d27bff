/**
 * Every call that the document offers, with thousands of good, odd and bad values, to a control plane with things in it: nothing is answered
 * with a 500, and nothing with what the document does not tell of.
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createListener, type Listener } from '../../src/control/listener.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { makeFleet, told } from '../support/control-fleet.ts'
import { part } from '../support/parts.ts'
import { runSchemathesis } from '../support/schemathesis.ts'
import { tempFolder } from '../support/temp-folder.ts'

const TIMEOUT_MS = 600_000

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
]

/** A stream never ends, and its document tells of the whole of it, which is read here as telling of each event. */
const LEFT_OUT = '/events'

describe.skipIf(!part('schemathesis'))('a control plane', () => {
  const faults: string[] = []
  let control: ControlApp
  let listener: Listener | undefined
  let url: string
  let shop: string

  beforeAll(async () => {
    // Only faults of ours are of interest here; each is one line.
    const logger = pino({ level: 'error' }, { write: line => void faults.push(line) })
    // An export is gathered there.
    const directory = await tempFolder()
    control = await controlApp({ deps: { logger }, settings: `state: { directory: ${directory} }` })
    const fleet = makeFleet(control.database)
    const ports: { readonly id: string; readonly protocol: 'http' | 'tcp' | 'udp' }[] = []
    for (const name of ['shop', 'lab']) {
      const project = (await control.asAdmin('POST', '/projects', { name })).json
      if (name === 'shop') shop = project.id
      const service = await control.asAdmin('POST', '/services', {
        projectId: project.id,
        name: `${name}-db`,
        endpoints: [{ address: '10.200.1.5' }],
        ports: [
          { port: 5432, protocol: 'tcp' },
          { port: 53, protocol: 'udp' },
          { port: 80, protocol: 'http', domain: `${name}.example.com` },
        ],
      })
      expect(service.status).toBe(201)
      ports.push(...service.json.ports)
    }
    // Once it has told of its entry points, none is handed out that it does not have: so it comes last.
    await fleet.node('srv_1')
    await fleet.report('srv_1', { verdicts: ports.map(({ id, protocol }) => told(id, 'BACKEND_DOWN', { protocol })) })
    listener = createListener(null, (request, response) => control.app.routing(request, response))
    url = `http://127.0.0.1:${(await listener.listen({ host: '127.0.0.1', port: 0 })).port}/openapi.json`
  }, 180_000)
  afterAll(async () => {
    await listener?.close(0)
    await control.close()
  })

  // Nodes sign what they send: what signed ones can do is tested in signed-requests.test.ts.
  test.each([
    ['an admin of everything', 'examples,coverage,fuzzing,stateful', () => control.adminToken],
    ['an admin of one project', 'coverage', () => control.tokenFor({ scopes: ['admin'], projectId: shop })],
  ])(
    'answers whatever %s asks as its document says',
    async (_title, phases, tokenOf) => {
      const cassettes = await mkdtemp(join(tmpdir(), 'fairlead-fuzz-'))
      const { exitCode, text } = await runSchemathesis(
        [
          url,
          ...['--header', `Authorization: Bearer ${await tokenOf()}`],
          ...['--checks', CHECKS.join(',')],
          ...['--exclude-path-regex', LEFT_OUT],
          ...['--phases', phases],
          ...['--max-examples', '10'],
          ...['--seed', '20261123'],
          ...['--generation-database', join(cassettes, 'examples')],
          ...['--request-timeout', '60'],
        ],
        AbortSignal.timeout(TIMEOUT_MS),
      )
      expect(faults).toEqual([])
      expect(exitCode, text).toBe(0)
      // It has looked at something.
      const tested = Number(/Tested: (\d+)/.exec(text)?.[1])
      expect(tested).toBeGreaterThan(40)
    },
    TIMEOUT_MS,
  )
})
