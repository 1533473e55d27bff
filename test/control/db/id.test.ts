import { expect, test } from 'vitest'
import { makeId } from '../../../src/control/db/id.ts'

const at = (now: number, byte: number): string =>
  makeId('svc', { now: () => now, random: size => Buffer.alloc(size, byte) })

test('an id is a UUID of version 7 behind its kind', () => {
  expect(at(0x0194_6f6c_8ab1, 0xff)).toBe('svc_01946f6c8ab17fffbfffffffffffffff')
  expect(at(0x0194_6f6c_8ab1, 0)).toBe('svc_01946f6c8ab170008000000000000000')
})

test('ids sort by the time of their making', () => {
  const ids = [at(1_700_000_000_000, 0xff), at(1_700_000_000_001, 0), at(1_800_000_000_000, 0)]
  expect([...ids].reverse().sort()).toEqual(ids)
})

test('an id may name a route', () => {
  expect(makeId('prt')).toMatch(/^[A-Za-z0-9_-]{1,63}$/)
  expect(makeId('prt')).not.toBe(makeId('prt'))
})
