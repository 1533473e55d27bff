import { test as property } from '@fast-check/vitest'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makePortSet, NO_PORTS, type PortSet, parsePortSet } from '../../src/core/port-set.ts'

function parsed(text: string): PortSet {
  const result = parsePortSet(text)
  if (!result.ok) throw new Error(result.faults.join('; '))
  return result.ports
}

describe('parsing', () => {
  test.each([
    ['10000-10099,5432', '5432,10000-10099', 101],
    [' 443 , 80 ', '80,443', 2],
    ['1-2,3,5-6,4', '1-6', 6],
    ['7-7', '7', 1],
    ['0080', '80', 1],
    ['1,65535', '1,65535', 2],
    ['none', 'none', 0],
  ])('%j is the set %j', (text, canonical, size) => {
    const ports = parsed(text)
    expect({ text: ports.text, size: ports.size }).toEqual({ text: canonical, size })
  })

  test.each([
    ['', ['no ports are named; write ports as 10000-10099,5432, or none']],
    ['10-', ['"" is not a port number; write ports as 10000-10099,5432']],
    ['0', ['port 0 is outside 1-65535']],
    ['65536', ['port 65536 is outside 1-65535']],
    ['9-5', ['the range 9-5 ends before it begins; write it as 5-9']],
    ['1-2-3', ['"1-2-3" is not a range; write ports as 10000-10099,5432']],
    ['80,,443', ['there is nothing between two commas; write ports as 10000-10099,5432']],
    ['80 443', ['"80 443" is not a port number; write ports as 10000-10099,5432']],
    ['1e4', ['"1e4" is not a port number; write ports as 10000-10099,5432']],
    ['99999999999', ['"99999999999" is not a port number; write ports as 10000-10099,5432']],
  ])('%j is refused with its fault', (text, faults) => {
    expect(parsePortSet(text)).toEqual({ ok: false, faults })
  })

  test('every wrong part gives its own fault', () => {
    expect(parsePortSet('0,80,x,9-5')).toEqual({
      ok: false,
      faults: [
        'port 0 is outside 1-65535',
        '"x" is not a port number; write ports as 10000-10099,5432',
        'the range 9-5 ends before it begins; write it as 5-9',
      ],
    })
  })
})

describe('the set', () => {
  test('has its own numbers and no others', () => {
    const ports = parsed('10-12')
    expect([9, 10, 12, 13].map(ports.has)).toEqual([false, true, true, false])
  })

  test('cannot be changed from outside', () => {
    const ports = parsed('10-12')
    expect(Object.isFrozen(ports) && Object.isFrozen(ports.list())).toBe(true)
  })

  test('a number that is no port throws', () => {
    expect(() => makePortSet([80, 70_000])).toThrow(new RangeError('70000 is not a port'))
  })

  test('the empty set has no numbers', () => {
    expect([NO_PORTS.size, NO_PORTS.list(), NO_PORTS.text]).toEqual([0, [], 'none'])
  })
})

property.prop([fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 60 })])(
  'formatting and parsing give the same set',
  numbers => {
    const ports = makePortSet(numbers)
    expect(parsed(ports.text).list()).toEqual([...numbers].sort((a, b) => a - b))
    expect(parsed(ports.text).text).toBe(ports.text)
  },
)
