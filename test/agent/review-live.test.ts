import { expect, test } from 'vitest'
import type { Candidate } from '../../src/core/conflicts.ts'
import { judge } from '../../src/core/judge.ts'
import { candidatesOf, compileLists, stateWith, tcpRoute } from '../support/builders.ts'
import { rawdataOf, runtimeOf } from '../support/observed.ts'

const as = (fields: Record<string, unknown>) => ({ tcpRoutes: [tcpRoute(fields)] })

/** The reason of a route that stands as it should, while Traefik has the body with these routes. */
function reasonOf(fields: Record<string, unknown>, applied: readonly Candidate[] | null): string | undefined {
  const { outcomes, config } = compileLists(as(fields))
  const runtime = runtimeOf(rawdataOf(config))
  const evidence = { kind: 'read', runtime } as const
  return judge({ outcomes, rejected: [], config, polled: 'yes', evidence, held: new Map(), applied })[0]?.reason
}

test.each([
  ['clients that may come', { allowCidrs: ['10.0.0.0/8'] }],
  ['connections of one client', { maxConnectionsPerClient: 3 }],
  ['PROXY protocol', { proxyProtocol: 2 }],
  ['health checks', { healthCheck: { interval: '10s', timeout: '2s' } }],
])('%s: a change that the runtime does not tell is not live before its body is', (_, fields) => {
  expect(reasonOf(fields, candidatesOf(stateWith(as({}))))).toBe('NOT_YET_APPLIED')
  expect(reasonOf(fields, candidatesOf(stateWith(as(fields))))).toBe('LIVE')
  expect(reasonOf(fields, null)).toBe('NOT_YET_APPLIED')
})
