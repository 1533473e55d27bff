import { describe, expect, test } from 'vitest'
import { PortInput } from '../../src/api/port.ts'
import type { Preset } from '../../src/api/service.ts'
import { type ExposeArgs, nameOf, portInput, readWish } from '../../src/cli/expose/wish.ts'
import { CliError } from '../../src/cli/io.ts'
import { exampleCommands } from '../../src/control/services/connect.ts'
import { PRESETS } from '../../src/control/services/preset.ts'
import { runCli } from '../support/cli.ts'

const presets: readonly Preset[] = PRESETS.map(preset => ({ ...preset, connect: exampleCommands(preset.id, 'x') }))
const NOTHING = {
  ...{ protocol: null, sni: null, domain: null, port: null, name: null },
  ...{ preset: null, expires: null, allow: null },
}
const NOW = Date.parse('2026-11-23T12:00:00Z')
const wish = (args: Partial<ExposeArgs> & { readonly address: string }) =>
  readWish({ ...NOTHING, ...args }, presets, NOW)

const sentence = (args: Partial<ExposeArgs> & { readonly address: string }): string => {
  try {
    wish(args)
  } catch (error) {
    if (error instanceof CliError) return error.sentences.join('\n')
    throw error
  }
  throw new Error('it was taken')
}

describe('what is asked for', () => {
  test('is a public TCP port, unless said otherwise', () => {
    expect(wish({ address: '10.200.1.5:9999' })).toEqual({
      ...{ name: null, preset: null, endpoint: '10.200.1.5', port: 9999, protocol: 'tcp' },
      ...{ sni: null, domain: null, wanted: null, expiresAt: null, allowCidrs: [] },
    })
  })

  test('gets a preset by its usual port', () => {
    const presetOf = (args: Parameters<typeof wish>[0]) => wish(args).preset
    expect([
      presetOf({ address: '10.0.0.1:5432' }),
      presetOf({ address: '10.0.0.1:3306' }),
      presetOf({ address: '10.0.0.1:53', protocol: 'udp' }),
      presetOf({ address: '10.0.0.1:53' }),
      presetOf({ address: '10.0.0.1:5432', preset: 'custom' }),
    ]).toEqual(['postgres', 'mysql', 'dns', null, 'custom'])
  })

  test('needs no port where the preset has one', () => {
    expect(wish({ address: '10.0.0.1', preset: 'postgres' })).toMatchObject({ endpoint: '10.0.0.1', port: 5432 })
    expect(wish({ address: '[fd00::5]:6379' })).toMatchObject({ endpoint: 'fd00::5', port: 6379, preset: 'redis' })
  })

  test('ends when it is told to, by the clock of the host', () => {
    expect(wish({ address: '10.0.0.1:1', expires: '2h', allow: '10.0.0.0/8, 192.0.2.1' })).toMatchObject({
      expiresAt: '2026-11-23T14:00:00.000Z',
      allowCidrs: ['10.0.0.0/8', '192.0.2.1'],
    })
  })

  test.each([
    [
      { address: '10.0.0.1' },
      /^"10.0.0.1" is not the address of a service: .*; write it as 10.200.1.5:5432, or name a --preset/,
    ],
    [{ address: 'x y:1' }, /^"x y:1" is not the address of a service/],
    [{ address: '10.0.0.1:1', protocol: 'sctp' }, /^--protocol: "sctp" is not one of http, tcp, udp$/],
    [{ address: '10.0.0.1:1', preset: 'oracle' }, /^--preset: "oracle" is not one of http, postgres, /],
    [{ address: '10.0.0.1:1', port: '70000' }, /^--port: "70000" is not a port from 1 to 65535$/],
    [{ address: '10.0.0.1:1', expires: '2' }, /^--expires: "2" is not a duration; /],
    [{ address: '10.0.0.1:1', protocol: 'http' }, /^--domain is missing: HTTP needs a host name$/],
    [{ address: '10.0.0.1:1', domain: 'a.b', protocol: 'tcp' }, /^--domain is for HTTP; /],
    [{ address: '10.0.0.1:1', domain: 'a.b', port: '80' }, /^--port is for TCP and UDP; HTTP is on 80 and 443$/],
    [{ address: '10.0.0.1:1', sni: 'a.b', protocol: 'udp' }, /^--sni is for TCP alone$/],
  ])('%j is refused', (args, message) => {
    expect(sentence(args)).toMatch(message)
  })
})

describe('what is sent', () => {
  test.each([
    [{ address: '10.0.0.1:5432', port: '10007' }, false, { externalPort: 10_007 }],
    [
      { address: '10.0.0.1:5432', port: '5432', sni: 'db.example.com' },
      true,
      { shared: 5432, sniHostname: 'db.example.com' },
    ],
    [{ address: '10.0.0.1:80', domain: 'app.example.com' }, false, { protocol: 'http', domain: 'app.example.com' }],
    [
      { address: '10.0.0.1:53', protocol: 'udp', allow: '10.0.0.0/8' },
      false,
      { protocol: 'udp', allowCidrs: ['10.0.0.0/8'] },
    ],
  ])('%j is a port that the control plane takes', (args, isShared, members) => {
    const input = portInput(wish(args), isShared)
    expect(input).toMatchObject({ isPublic: true, ...members })
    expect(PortInput.safeParse(input).error?.issues ?? []).toEqual([])
  })

  test.each([
    [{ address: '10.200.1.5:5432' }, 'postgres-10-200-1-5-5432'],
    [{ address: '[fd00::5]:99' }, 'tcp-fd00-5-99'],
    [{ address: '10.200.1.5:99', preset: 'custom' }, 'tcp-10-200-1-5-99'],
    [{ address: 'db.internal:99', name: 'orders' }, 'orders'],
  ])('%j is service %s', (args, name) => {
    expect(nameOf(wish(args))).toBe(name)
  })

  test('a long name is cut, and keeps its port', () => {
    const name = nameOf(wish({ address: `${'a'.repeat(60)}.example.com:5432` }))
    expect(name.length).toBeLessThanOrEqual(58)
    expect(name).toMatch(/^postgres-a+-5432$/)
  })
})

test('without a control plane it says how to name one', async () => {
  const { code, out, err } = await runCli(['expose', '10.0.0.1:5432'], { env: { HOME: '/nonexistent' } })
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain('fairlead expose: it is not said which control plane to ask; ')
})
