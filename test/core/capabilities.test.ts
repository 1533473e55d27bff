import { describe, expect, test } from 'vitest'
import {
  type Capabilities,
  capabilitiesOf,
  compareVersions,
  NEWEST_SUPPORTED,
  OLDEST_SUPPORTED,
  parseVersion,
} from '../../src/core/capabilities.ts'

const NONE: Capabilities = { hostSniWildcard: false, tcpHealthCheck: false, serversTransportProxyProtocol: false }
const ALL: Capabilities = { hostSniWildcard: true, tcpHealthCheck: true, serversTransportProxyProtocol: true }

describe('parseVersion', () => {
  test.each([
    ['3.7.15', { major: 3, minor: 7, patch: 15, preRelease: false }],
    ['v3.5.0', { major: 3, minor: 5, patch: 0, preRelease: false }],
    [' 3.7.15\n', { major: 3, minor: 7, patch: 15, preRelease: false }],
    ['3.7.0-rc.2', { major: 3, minor: 7, patch: 0, preRelease: true }],
    ['3.7.0+deb12', { major: 3, minor: 7, patch: 0, preRelease: false }],
  ])('%j is a version', (text, expected) => {
    expect(parseVersion(text)).toEqual(expected)
  })

  test.each(['', 'dev', '3', '3.7', '3.7.x', '3.7.15.1', '-3.7.1', 'v', '3.7.15 beta', '99999.0.0', '0x3.7.1'])(
    '%j is no version',
    text => {
      expect(parseVersion(text)).toBeNull()
    },
  )
})

describe('compareVersions', () => {
  test('numbers are compared as numbers, from the left', () => {
    const texts = ['3.3.6', '3.7.0-rc.1', '3.7.0', '3.7.9', '3.7.15', '3.10.0', '4.0.0']
    const versions = texts.map(text => parseVersion(text) ?? expect.unreachable())
    expect([...versions].reverse().sort(compareVersions)).toEqual(versions)
  })

  test('two pre-releases of one version are equal', () => {
    const [a, b] = ['3.7.0-rc.1', '3.7.0-rc.2'].map(text => parseVersion(text) ?? expect.unreachable())
    expect(a && b && compareVersions(a, b)).toBe(0)
  })
})

describe('capabilitiesOf', () => {
  test.each<[string | null, Capabilities]>([
    [null, NONE],
    ['dev', NONE],
    ['2.11.0', NONE],
    [OLDEST_SUPPORTED, NONE],
    ['3.5.1', NONE],
    ['3.5.3', { ...NONE, serversTransportProxyProtocol: true }],
    ['3.6.0', { ...NONE, serversTransportProxyProtocol: true, tcpHealthCheck: true }],
    ['3.6.15', { ...NONE, serversTransportProxyProtocol: true, tcpHealthCheck: true }],
    ['3.7.0-rc.1', { ...NONE, serversTransportProxyProtocol: true, tcpHealthCheck: true }],
    ['3.7.0', ALL],
    [NEWEST_SUPPORTED, ALL],
    ['3.10.0', ALL],
    ['4.0.0', ALL],
  ])('%j', (version, expected) => {
    expect(capabilitiesOf(version)).toEqual(expected)
  })
})
