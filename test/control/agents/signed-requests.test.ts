/**
 * What a node may send that has its key and means harm, or is broken: reports and headers of any shape, properly signed. None is answered
 * with a fault of ours, and nothing that was taken keeps anybody from reading.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { countsOf, makeFleet, SINCE, told } from '../../support/control-fleet.ts'
import { manyNodes, type NodeClient } from '../../support/node-client.ts'

/** Each may report thirty times in ten seconds. */
const NODES = 60
const RUNS = 250
const PATIENCE_MS = 240_000

let control: ControlApp
let nodes: readonly NodeClient[]
let turn = 0
const nextNode = (): NodeClient => {
  const node = nodes[turn++ % nodes.length]
  if (node === undefined) throw new Error('there is no node')
  return node
}

beforeAll(async () => {
  control = await controlApp()
  const fleet = makeFleet(control.database)
  await fleet.route('prt_a', { externalPort: 10_001 })
  await fleet.route('prt_b', { protocol: 'http', domain: 'app.example.com' })
  nodes = await manyNodes(control, control.database, NODES)
}, 60_000)
afterAll(() => control.close())

function goodReport(): unknown {
  const verdicts = [
    told('prt_a', 'BACKEND_DOWN', {
      chain: [{ step: 'served', ok: true, at: SINCE, detail: 'x' }],
      timingsMs: { savedToLive: 84 },
      served: { router: { rule: 'x' }, service: {} },
    }),
    told('prt_b', 'LIVE', { protocol: 'http' }),
  ]
  return {
    schema: 1,
    controlPlaneId: control.database.controlPlaneId,
    epoch: 1,
    revision: { expected: 2, served: 2, applied: 2 },
    reportSeq: 1,
    full: true,
    agentVersion: '0.1.0',
    traefik: { state: 'verified', version: '3.7.15', startedAt: SINCE, lastPollAt: SINCE },
    entryPoints: [{ name: 'tcp-10001', address: ':10001', protocol: 'tcp' }],
    counts: countsOf(verdicts),
    verdicts,
    gone: ['prt_c'],
    held: { hash: 'h', removals: ['tcp/prt_d'] },
    drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
    openConnections: { prt_a: 3 },
  }
}

type Place = { readonly parent: object; readonly key: string }

function placesOf(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => [{ parent: value, key }, ...placesOf(child)])
}

const nasty = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      '',
      '\u0000',
      '\ud800',
      "'; drop table nodes; --",
      '<img src=x onerror=alert(1)>',
      '../../etc/passwd',
    ],
    ...[-1, 0, 1, 1.5, 2 ** 31 - 1, 2 ** 31, 2 ** 53, 1e300, '__proto__', 'constructor', 'prt_a', 'tcp/prt_a'],
    ...['0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-11-23T10:00:00+14:00', '2026-02-30T00:00:00Z'],
  ),
)
const change = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('set', 'set', 'set', 'drop', 'repeat', 'add'),
  key: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), fc.constantFrom('__proto__', 'prt_b')),
  value: nasty,
})
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

/** A copy of the good one, with changes at places of it. */
function spoiled(changes: readonly Change[]): unknown {
  const report: unknown = structuredClone(goodReport())
  for (const { at, how, key: name, value } of changes) {
    const places = placesOf(report)
    const place = places[at % places.length]
    if (place === undefined) continue
    const { parent, key } = place
    if (how === 'set') Reflect.set(parent, key, value)
    else if (how === 'drop') Reflect.deleteProperty(parent, key)
    else if (how === 'repeat' && Array.isArray(parent)) parent.push(...parent)
    else if (Array.isArray(parent)) parent.push(value)
    // By its name alone, not as a prototype.
    else Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return report
}

const READS = ['/nodes?limit=100', '/routes', '/routes/prt_a', '/routes/prt_b/history', '/overview', '/audit', '/pools']

/** The reading of everything that shows what nodes have said. */
async function readsBroken(node: NodeClient): Promise<string[]> {
  const broken: string[] = []
  for (const path of [...READS, `/nodes/${node.id}`]) {
    const { status, text } = await control.asAdmin('GET', path)
    if (status !== 200) broken.push(`${path} ${status} ${text}`)
  }
  return broken
}

test(
  'a report of any shape breaks nothing',
  async () => {
    const statuses = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async changes => {
        const node = nextNode()
        const { status, text } = await node.post('/agent/status', spoiled(changes))
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        expect([204, 400, 409, 413, 422], text).toContain(status)
        if (status === 204) expect(await readsBroken(node)).toEqual([])
      }),
      { numRuns: RUNS, seed: 20_261_123 },
    )
    // Some are harmless, most are not.
    expect(statuses.get(204) ?? 0).toBeGreaterThan(RUNS / 20)
    expect(statuses.get(422) ?? 0).toBeGreaterThan(RUNS / 20)
  },
  PATIENCE_MS,
)

test(
  'a body of any bytes breaks nothing',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.string({ unit: 'grapheme-composite', maxLength: 4 }), async (at, bytes) => {
        const good = JSON.stringify(goodReport())
        const cut = at % good.length
        const { status, text } = await nextNode().post(
          '/agent/status',
          good.slice(0, cut) + bytes + good.slice(cut + 1),
        )
        expect([204, 400, 409, 422], text).toContain(status)
      }),
      { numRuns: RUNS, seed: 20_261_123 },
    )
  },
  PATIENCE_MS,
)

const headerText = fc.oneof(
  fc.string({ maxLength: 40 }).map(text => text.replace(/[^\x20-\x7e]/g, '')),
  fc.constantFrom(
    '',
    '*',
    '"',
    'W/""',
    '"a","b"',
    `"${'a'.repeat(9_000)}"`,
    'wait=',
    'wait=-1',
    'wait=1e9',
    'wait=0x10',
  ),
  fc.constantFrom('wait="5', 'wait=0.0001, wait=0', 'respond-async, wait=0', '0', '-1', '1e3', '99999999999999999999'),
)

test(
  'headers of any kind get an answer, and a state only with a signature',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('prefer', 'if-none-match', 'x-server-id', 'x-timestamp', 'x-signature', 'accept-encoding'),
        headerText,
        fc.constantFrom('/agent/expected-state', '/agent/expected-state?wait=1', '/agent/expected-state?x=%ff'),
        async (name, value, path) => {
          const node = nextNode()
          const { status, text } = await node.get(path, { prefer: 'wait=0', [name]: value })
          expect(name.startsWith('x-') ? [401] : [200, 304, 400], text).toContain(status)
        },
      ),
      { numRuns: RUNS, seed: 20_261_123 },
    )
  },
  PATIENCE_MS,
)
