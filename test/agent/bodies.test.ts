import { describe, expect, test } from 'vitest'
import { type Body, makeBodies } from '../../src/agent/bodies.ts'
import type { Observation } from '../../src/agent/traefik/observer.ts'
import { candidatesOf, compileLists, stateWith, tcpRoute } from '../support/builders.ts'
import { NO_RUNTIME, observationOf, rawdataOf, runtimeOf } from '../support/observed.ts'

const hashOf = (name: string): string => `${name}-`.padEnd(64, '0')

/** The body `a`, `b`, ... of one route of that name. */
function bodyOf(name: string): Body {
  const lists = { tcpRoutes: [tcpRoute({ id: name })] }
  const snapshot = { hash: hashOf(name), body: name, contentType: 'application/json' } as const
  return { snapshot, candidates: candidatesOf(stateWith(lists)), revision: name, config: compileLists(lists).config }
}

const showing = (...names: string[]): Observation => observationOf({ ...NO_RUNTIME, beacons: names.map(hashOf) })

function knowing(...names: string[]) {
  let seen: Observation | null = showing()
  const bodies = makeBodies(() => seen)
  for (const name of names) bodies.serve(bodyOf(name))
  return {
    bodies,
    /** What Traefik shows is looked at; the name of the body that it has, or null. */
    look(observation: Observation | null): string | null {
      seen = observation
      return nameOf(bodies.recognise())
    },
    /** It is not looked at. */
    show(observation: Observation | null) {
      seen = observation
    },
  }
}

const nameOf = (body: { readonly revision: number | string } | null): string | null =>
  body === null ? null : String(body.revision)
const FAULT = { kind: 'timeout', message: 'late', since: 0 } as const

describe('the body that Traefik has', () => {
  test('is the one whose beacon it shows', () => {
    const { bodies, look } = knowing('a', 'b')
    expect(look(showing('a'))).toBe('a')
    expect([nameOf(bodies.applied()), nameOf(bodies.usable()), nameOf(bodies.lastGood())]).toEqual(['a', 'a', 'a'])
  })

  test('is the newer of two while it changes over', () => {
    expect(knowing('a', 'b').look(showing('b', 'a'))).toBe('b')
    expect(knowing('b', 'a').look(showing('b', 'a'))).toBe('a')
  })

  test('is the newest that was served, however often before', () => {
    expect(knowing('a', 'b', 'a').look(showing('a', 'b'))).toBe('a')
  })

  test('is not known of a Traefik that cannot be read', () => {
    const { look } = knowing('a')
    expect(look(null)).toBeNull()
    expect(look({ ...showing('a'), fault: FAULT })).toBeNull()
    expect(look({ ...showing('a'), reading: null })).toBeNull()
  })

  test('is one of somebody else when nobody here has served it', () => {
    const { bodies, look } = knowing('a')
    expect(look(showing('x'))).toBeNull()
    expect(bodies.applied()).toBeNull()
  })

  test('what was served before it is forgotten', () => {
    const { look } = knowing('a', 'b', 'c')
    expect(look(showing('b'))).toBe('b')
    expect(look(showing('a'))).toBeNull()
    expect(look(showing('c'))).toBe('c')
  })

  test('is known among the last sixteen', () => {
    const names = Array.from({ length: 17 }, (_, i) => `n${i}`)
    expect(knowing(...names).look(showing('n0'))).toBeNull()
    expect(knowing(...names).look(showing('n1'))).toBe('n1')
  })
})

describe('a body to go back to', () => {
  test('in doubt it is one of this version, and that nothing speaks against', () => {
    const { bodies, look, show } = knowing('a')
    look(showing('a'))
    bodies.doubt()
    expect([nameOf(bodies.applied()), nameOf(bodies.usable()), nameOf(bodies.lastGood())]).toEqual([null, 'a', 'a'])
    show(observationOf({ ...NO_RUNTIME, beacons: [hashOf('a')] }, { version: '3.6.15' }))
    expect(nameOf(bodies.usable())).toBeNull()
    show(showing('unknown'))
    expect(nameOf(bodies.usable())).toBeNull()
    show(showing())
    expect(nameOf(bodies.usable())).toBe('a')
  })

  test('in doubt, a body that was served speaks for it', () => {
    const { bodies, look, show } = knowing('a')
    look(showing('a'))
    bodies.serve(bodyOf('b'))
    bodies.doubt()
    show(showing('b'))
    expect(nameOf(bodies.usable())).toBe('a')
    show(showing('unknown', 'b'))
    expect(nameOf(bodies.usable())).toBe('a')
  })

  test('seen in the Traefik that runs, it is one whatever comes', () => {
    const { bodies, look, show } = knowing('a')
    look(showing('a'))
    show(showing('unknown'))
    expect(nameOf(bodies.usable())).toBe('a')
  })

  test('of the run before it is one that is in doubt', () => {
    const { bodies, show } = knowing()
    const { config: _config, ...before } = { ...bodyOf('a'), version: '3.7.15' }
    bodies.restore(before)
    show(showing())
    expect(bodies.lastGood()).toEqual({ ...before, config: null })
    expect([nameOf(bodies.applied()), nameOf(bodies.usable())]).toEqual([null, 'a'])
    show(showing('a'))
    expect(nameOf(bodies.usable())).toBe('a')
    expect(bodies.had(null)).toEqual(before.candidates)
    // Served again, it is known with its configuration.
    bodies.serve(bodyOf('a'))
    expect(bodies.lastGood()).toEqual({ ...bodyOf('a'), version: '3.7.15' })
    bodies.restore(null)
    expect(bodies.lastGood()).toBeNull()
  })
})

test('a body of the run before is known by its beacon, and what came after it stays known', () => {
  const { bodies, look } = knowing()
  bodies.restore({ ...bodyOf('a'), version: '3.7.15' })
  bodies.serve(bodyOf('b'))
  expect(look(showing('a'))).toBe('a')
  expect(nameOf(bodies.applied())).toBe('a')
  expect(look(showing('b'))).toBe('b')
})

describe('the routes of a body that nobody knows', () => {
  const wanted = compileLists({
    tcpRoutes: [tcpRoute({ id: 'x', externalPort: 10001 }), tcpRoute({ id: 'y', externalPort: 10002 })],
  })
  const raw = rawdataOf(wanted.config)
  delete raw.tcpRouters?.['tcp_y@http']
  const found = observationOf(runtimeOf(raw))
  const idsOf = (candidates: readonly { readonly route: { readonly id: string } }[]) =>
    candidates.map(({ route }) => route.id).toSorted()

  test('are those that stand in it as they should', () => {
    const { bodies, show } = knowing()
    show(found)
    expect(idsOf(bodies.had(wanted))).toEqual(['x'])
    expect(bodies.had(null)).toEqual([])
    show(null)
    expect(bodies.had(wanted)).toEqual([])
  })

  test('and what the last one of this version had', () => {
    const { bodies, look, show } = knowing('a')
    look(showing('a'))
    bodies.doubt()
    show(found)
    expect(idsOf(bodies.had(wanted))).toEqual(['a', 'x'])
    const { reading } = found
    show(reading === null ? null : { ...found, reading: { ...reading, version: '3.6.15' } })
    expect(idsOf(bodies.had(wanted))).toEqual(['x'])
  })
})
