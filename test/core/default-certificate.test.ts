import { expect, test } from 'vitest'
import { type DefaultCertificateMode, mayBeDefault } from '../../src/core/default-certificate.ts'

test.each<[DefaultCertificateMode, readonly string[] | null | undefined, boolean]>([
  ['auto', ['HTTP'], true],
  ['auto', ['File', 'HTTP'], false],
  ['auto', ['File'], false],
  ['auto', [], false],
  // Not known, and not stored by an older agent.
  ['auto', null, false],
  ['auto', undefined, false],
  ['on', ['File', 'HTTP'], true],
  ['on', null, true],
  ['off', ['HTTP'], false],
])('%s beside %j gives %j', (mode, providers, expected) => {
  expect(mayBeDefault(mode, providers)).toBe(expected)
})
