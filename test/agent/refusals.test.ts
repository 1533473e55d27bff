import { describe, expect, test } from 'vitest'
import { makeRefusals } from '../../src/agent/refusals.ts'
import { contentOf } from '../../src/core/changes.ts'
import type { RouteKey } from '../../src/core/problem.ts'
import { candidatesOf, stateWith, tcpRoute } from '../support/builders.ts'

function candidate(id: string, externalPort: number) {
  const [only] = candidatesOf(stateWith({ tcpRoutes: [tcpRoute({ id, externalPort })] }))
  if (only === undefined) throw new Error('no candidate')
  return only
}
const [a, b, aBefore] = [candidate('a', 10001), candidate('b', 10002), candidate('a', 10003)]

const known: ReadonlySet<RouteKey> = new Set<RouteKey>(['tcp/a', 'tcp/b'])
const VERSION = '3.7.15'

function withA() {
  const refusals = makeRefusals()
  refusals.add({ keys: ['tcp/a'], wanted: [a, b], had: [aBefore], known, version: VERSION })
  return refusals
}

describe('what Traefik refuses', () => {
  test('is kept with what it says and what it was before', () => {
    expect(withA().routes()).toEqual(new Map([['tcp/a', { content: contentOf(a), former: aBefore }]]))
  })

  test('a route that there was not before goes on as nothing', () => {
    const refusals = makeRefusals()
    refusals.add({ keys: ['tcp/b'], wanted: [a, b], had: [aBefore], known, version: VERSION })
    expect(refusals.routes()).toEqual(new Map([['tcp/b', { content: contentOf(b), former: null }]]))
  })

  test('the next one comes to those that still are', () => {
    const refusals = withA()
    refusals.add({ keys: ['tcp/b'], wanted: [b], had: [], known, version: VERSION })
    expect([...refusals.routes().keys()]).toEqual(['tcp/a', 'tcp/b'])
  })

  test('what was refused of a route that is gone is forgotten', () => {
    const refusals = withA()
    refusals.add({ keys: ['tcp/b'], wanted: [b], had: [], known: new Set<RouteKey>(['tcp/b']), version: VERSION })
    expect([...refusals.routes().keys()]).toEqual(['tcp/b'])
  })

  test('it holds for the version that refused it', () => {
    expect([VERSION, '3.6.15', null].map(withA().isOfOther)).toEqual([false, true, true])
    const fields = makeRefusals()
    fields.addFields(VERSION)
    expect([VERSION, '3.6.15'].map(fields.isOfOther)).toEqual([false, true])
    expect(makeRefusals().isOfOther(VERSION)).toBe(false)
  })

  test('forgotten, nothing is left of it', () => {
    const refusals = withA()
    refusals.addFields(VERSION)
    expect(refusals.oldestFields()).toBe(true)
    refusals.forget()
    expect(refusals.stored()).toEqual({ version: null, oldestFields: false, routes: [] })
    expect([refusals.oldestFields(), refusals.isOfOther('3.6.15')]).toEqual([false, false])
  })

  test('a restart knows all of it', () => {
    const before = withA()
    before.addFields(VERSION)
    const after = makeRefusals()
    after.restore(before.stored())
    expect(after.stored()).toEqual(before.stored())
    expect(after.routes()).toEqual(before.routes())
    expect([after.oldestFields(), after.isOfOther('3.6.15'), after.isOfOther(VERSION)]).toEqual([true, true, false])
    after.restore(null)
    expect(after.stored()).toEqual({ version: null, oldestFields: false, routes: [] })
  })
})
