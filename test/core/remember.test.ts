import { expect, test } from 'vitest'
import { createTextMemory, rememberLast } from '../../src/core/remember.ts'

test('a result is made anew when anything else changes', () => {
  const remember = rememberLast<object, number>()
  const key = {}
  let made = 0
  const ask = (of: object, rest: string) =>
    remember(of, rest, () => {
      made += 1
      return made
    })
  expect([ask(key, 'a'), ask(key, 'a'), ask(key, 'b'), ask(key, 'a'), ask({}, 'a')]).toEqual([1, 1, 2, 3, 4])
})

test('a text that was not asked for is forgotten after two turns', () => {
  const memory = createTextMemory<number>()
  memory.set('kept', 1)
  memory.set('left', 2)
  memory.turn()
  expect(memory.get('kept')).toBe(1)
  memory.turn()
  expect([memory.get('kept'), memory.get('left')]).toEqual([1, undefined])
})
