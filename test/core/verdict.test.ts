import { describe, expect, test } from 'vitest'
import { REASONS, VERDICTS } from '../../src/core/verdict.ts'

describe('the table of reasons', () => {
  const rows = Object.entries(REASONS)

  test('every reason has a verdict, and every verdict a reason', () => {
    expect([...new Set(rows.map(([, { verdict }]) => verdict))].toSorted()).toEqual(VERDICTS.toSorted())
  })

  test.each(rows)('%s says what it means and what to do', (code, { meaning, remedy }) => {
    expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/)
    for (const sentence of [meaning, remedy]) expect(sentence).toMatch(/^[A-Z][^\n]{8,200}\.$/)
  })

  test('no two reasons mean the same', () => {
    expect(new Set(rows.map(([, { meaning }]) => meaning)).size).toBe(rows.length)
  })
})
