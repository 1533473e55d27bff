import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { hostRule, hostSniRule, parseHostName } from '../../src/core/host-sni.ts'

const parse = (text: string): string => {
  const parsed = parseHostName(text)
  return parsed.ok ? parsed.host : `refused: ${parsed.message}`
}

describe('parseHostName', () => {
  test.each([
    ['db.example.com', 'db.example.com'],
    ['DB.Example.COM', 'db.example.com'],
    ['db.example.com.', 'db.example.com'],
    ['*.example.com', '*.example.com'],
    ['single', 'single'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.bücher.example', '*.xn--bcher-kva.example'],
    ['テスト.example', 'xn--zckzah.example'],
    ['a-b.example', 'a-b.example'],
    ['1a.example', '1a.example'],
  ])('%s is read as %s', (text, host) => {
    expect(parse(text)).toBe(host)
  })

  test.each([
    [''],
    ['.'],
    ['*'],
    ['*.'],
    ['a.*.com'],
    ['*.*.x'],
    ['**.example.com'],
    ['a*.example.com'],
    ['-a.example.com'],
    ['a-.example.com'],
    ['a..b'],
    ['.a'],
    ['a b'],
    ['a_b.example.com'],
    ['a.example.com:443'],
    ['10.0.0.1'],
    ['10.0.0'],
    ['1'],
    ['0x7f.1'],
    ['[::1]'],
    ['::1'],
    ['x`) || HostSNI(`*'],
    ['x`) // y'],
    ['a"b'],
    ['a\nb'],
    ['a\u0000b'],
    ['a%2eb.example'],
    ['bü%41.example'],
    ['a@b'],
    ['a/b'],
    ['a'.repeat(64)],
    [`${'a'.repeat(63)}.`.repeat(4)],
    ['\u202ea.example'],
    ['{a}.example'],
  ])('%j is refused', text => {
    expect(parseHostName(text).ok).toBe(false)
  })

  test('a name of a million signs is refused', () => {
    expect(parse('a'.repeat(1_000_000))).toContain('too long')
    expect(parse(`${'a.'.repeat(500)}é`)).toContain('signs')
  })
})

describe('rules', () => {
  test('a name gives an exact rule', () => {
    expect(hostSniRule('db.example.com', true)).toBe('HostSNI(`db.example.com`)')
    expect(hostSniRule(null, true)).toBe('HostSNI(`*`)')
    expect(hostRule('app.example.com')).toBe('Host(`app.example.com`)')
  })

  test('a wildcard gives a pattern where HostSNI takes none', () => {
    expect(hostSniRule('*.example.com', true)).toBe('HostSNI(`*.example.com`)')
    expect(hostSniRule('*.example.com', false)).toBe('HostSNIRegexp(`^[^.]+\\.example\\.com$`)')
    expect(hostRule('*.example.com')).toBe('HostRegexp(`^[^.]+\\.example\\.com$`)')
  })

  // I6 of SPEC.md, the half that concerns names.
  propertyTest.prop([
    fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.domain(),
      fc.domain().map(name => `*.${name}`),
      fc.stringMatching(/^[a-z.*`()|" ]{1,20}$/),
    ),
  ])('any text is refused or gives one plain name', text => {
    const parsed = parseHostName(text)
    if (!parsed.ok) return
    expect(parsed.host).toMatch(
      /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    )
    expect(parseHostName(parsed.host)).toEqual(parsed)
    expect(hostSniRule(parsed.host, true)).toBe(`HostSNI(\`${parsed.host}\`)`)
  })

  propertyTest.prop([fc.stringMatching(/^[a-z0-9-]{1,10}(?:\.[a-z0-9-]{1,10}){0,3}$/)])(
    'an accepted name is kept as it was',
    text => {
      const parsed = parseHostName(text)
      if (parsed.ok) expect(parsed.host).toBe(text)
    },
  )
})
