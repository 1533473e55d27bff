import { expect, test } from 'vitest'
import { foreignNow } from '../../src/core/foreign.ts'
import type { ForeignRouter } from '../../src/core/observed.ts'

const router = (name: string, port: number): ForeignRouter => ({
  name,
  protocol: 'udp',
  entryPoints: [`udp-${port}`],
  rule: null,
  tls: false,
})
const dns = router('dns@file', 11000)
const syslog = router('syslog@file', 11001)

test.each([
  ['nothing is shown yet', [], false, [dns, syslog]],
  ['one is shown, in another place', [router('dns@file', 11002)], false, [router('dns@file', 11002), syslog]],
  ['it has settled', [dns], true, [dns]],
] as const)('routers of others over a restart: %s', (_, shown, settled, expected) => {
  expect(foreignNow(shown, [dns, syslog], settled)).toEqual(expected)
})
