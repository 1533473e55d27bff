import { describe, expect, test } from 'vitest'
import { connectionsOf, reportableReading } from '../../../src/agent/reports/reporting.ts'
import type { SourceReading, SourceStatus } from '../../../src/agent/sources/source.ts'
import { compileLists, httpRoute, tcpRoute, udpRoute } from '../../support/builders.ts'

const reading: SourceReading = {
  routes: [],
  problems: [],
  unknownFields: [],
  certificates: [],
  challengeUrl: null,
  removed: [],
  acceptedHash: null,
  revision: 1,
  epoch: 1,
  contentHash: '',
  lists: { http: true, tcp: true, udp: true },
  documents: 1,
  reportable: true,
}
const plane: SourceStatus = { name: 'control-plane', reading, fault: null, lastAttemptAt: 1, lastSuccessAt: 1 }
const fault = (code: string) => ({ code, message: '', remedy: '', since: 1 })

describe('who is told', () => {
  test('a control plane that names a schema', () => {
    expect(reportableReading([plane])).toBe(reading)
  })

  test.each(['SOURCE_TIMEOUT', 'SOURCE_UNAUTHORIZED', 'REVISION_WENT_BACK'])('also while there is %s', code => {
    expect(reportableReading([{ ...plane, fault: fault(code) }])).toBe(reading)
  })

  test.each<[what: string, statuses: readonly SourceStatus[]]>([
    ['without a control plane', []],
    ['with files alone', [{ ...plane, name: 'files' }]],
    ['before it was read', [{ ...plane, reading: null, lastSuccessAt: null }]],
    ['that was read in another run only', [{ ...plane, lastSuccessAt: null }]],
    ['without a schema', [{ ...plane, reading: { ...reading, reportable: false } }]],
    ['when another one answers', [{ ...plane, fault: fault('SOURCE_WRONG_CONTROL_PLANE') }]],
    ['when it speaks to another node', [{ ...plane, fault: fault('SOURCE_WRONG_NODE') }]],
    ['when something else answers', [{ ...plane, fault: fault('SOURCE_NOT_A_STATE') }]],
  ])('nobody %s', (_, statuses) => {
    expect(reportableReading(statuses)).toBeNull()
  })
})

test('open connections are those of routes that have their ports for themselves', () => {
  const named = (id: string) => tcpRoute({ id, externalPort: 10002, sniHostname: `${id}.example.com` })
  const { outcomes } = compileLists({
    routes: [httpRoute()],
    tcpRoutes: [
      tcpRoute(),
      named('a'),
      named('b'),
      tcpRoute({ id: 'block', externalPort: 10003, externalPortEnd: 10004 }),
      tcpRoute({ id: 'lost', externalPort: 1 }),
    ],
    udpRoutes: [udpRoute()],
  })
  const counts = new Map([
    ['tcp-10001', 3],
    ['tcp-10002', 5],
    ['tcp-10003', 1],
    ['tcp-10004', 2],
    ['websecure', 9],
  ])
  expect([...connectionsOf(outcomes, counts)]).toEqual([
    ['tcp/block', 3],
    ['tcp/pg', 3],
  ])
  expect([...connectionsOf(outcomes, new Map())]).toEqual([
    ['tcp/block', 0],
    ['tcp/pg', 0],
  ])
})
