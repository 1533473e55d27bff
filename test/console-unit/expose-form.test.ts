import { describe, expect, test } from 'vitest'
import type { Port } from '../../src/api/port.ts'
import { PortInput, PRESET_IDS } from '../../src/api/port.ts'
import type { Preset } from '../../src/api/service.ts'
import { contested, merge } from '../../src/console/pages/expose/conflict-rules.ts'
import {
  addBackends,
  changedFields,
  droppedBy,
  EMPTY_FORM,
  expiryOf,
  exposeCommand,
  fieldOfFault,
  formFaults,
  formOfPort,
  type PortForm,
  portInput,
  portPatch,
  serviceInput,
  splitAddress,
  withByName,
  withPreset,
  withProtocol,
} from '../../src/console/pages/expose/form.ts'
import { nameFor } from '../../src/console/pages/expose/offered-name.ts'
import { presetFacts } from '../../src/control/services/preset.ts'

const PRESETS: readonly Preset[] = PRESET_IDS.map(id => ({ ...presetFacts(id), connect: [] }))
const NOW = Date.parse('2026-11-23T10:00:00Z')
const preset = (id: string): Preset => {
  const found = PRESETS.find(one => one.id === id)
  if (found === undefined) throw new Error(`no preset ${id}`)
  return found
}
const form = (part: Partial<PortForm> = {}): PortForm => ({
  ...EMPTY_FORM,
  name: 'orders-db',
  isOwnName: true,
  ...part,
})

const PORT: Port = {
  id: 'prt_1',
  serviceId: 'svc_1',
  port: 5432,
  protocol: 'tcp',
  isPublic: true,
  preset: 'postgres',
  domain: null,
  pathPrefix: null,
  redirectToHttps: null,
  certResolver: null,
  externalPort: 10_001,
  externalPortEnd: null,
  shared: null,
  tlsPassthrough: true,
  tls: 'passthrough',
  sniHostname: 'db.example.com',
  allowCidrs: ['10.0.0.0/8'],
  maxConnectionsPerClient: 5,
  proxyProtocol: 2,
  healthCheck: null,
  probe: { type: 'postgres', intervalSeconds: 30 },
  expiresAt: null,
  address: 'db.example.com:10001',
  connect: [],
  verdict: 'live',
  version: 3,
  createdAt: '2026-11-01T00:00:00.000Z',
  updatedAt: '2026-11-01T00:00:00.000Z',
}

describe('another protocol', () => {
  test('keeps name and backends, and drops what has no meaning there', () => {
    const before = form({ byName: true, passthrough: true, sniHostname: 'db.example.com', allowCidrs: ['10.0.0.0/8'] })
    const after = withProtocol(addBackends(before, '10.200.1.5', PRESETS), 'udp', PRESETS)
    expect([after.name, after.backends, after.byName, after.passthrough, after.allowCidrs]).toEqual([
      'orders-db',
      [{ address: '10.200.1.5', weight: 1 }],
      false,
      false,
      [],
    ])
    expect(droppedBy(before, after)).toEqual(['the host name', 'who may connect'])
  })

  test('says of nothing that it was dropped when nothing was there', () => {
    expect(droppedBy(form(), withProtocol(form(), 'http', PRESETS))).toEqual([])
  })
})

describe('a preset', () => {
  test('fills its port where another usual one stood, and leaves one that was chosen', () => {
    expect(withPreset(form({ port: '5432' }), preset('redis'), PRESETS).port).toBe('6379')
    expect(withPreset(form({ port: '15432' }), preset('redis'), PRESETS).port).toBe('15432')
  })

  test('that speaks first takes host name and shared port away', () => {
    const named = form({ byName: true, passthrough: true, door: 'shared', shared: '443' })
    const after = withPreset(named, preset('mysql'), PRESETS)
    expect([after.byName, after.passthrough, after.door]).toEqual([false, false, 'auto'])
  })
})

test('a host name brings passthrough, and a shared number where there is one', () => {
  const after = withByName(form(), true, [443])
  expect([after.byName, after.passthrough, after.door, after.shared]).toEqual([true, true, 'shared', '443'])
  expect(withByName(form(), true, []).door).toBe('auto')
  expect(withByName(after, false, [443]).passthrough).toBe(false)
})

test('addresses are split from their ports', () => {
  expect(
    ['10.0.0.1:5432', '10.0.0.1', '[fd00::5]:5432', '[fd00::5]', 'fd00::5', 'db.internal:80'].map(splitAddress),
  ).toEqual([
    { address: '10.0.0.1', port: '5432' },
    { address: '10.0.0.1', port: null },
    { address: 'fd00::5', port: '5432' },
    { address: 'fd00::5', port: null },
    { address: 'fd00::5', port: null },
    { address: 'db.internal', port: '80' },
  ])
})

test('a pasted list makes each address once', () => {
  const after = addBackends(form(), '10.0.0.1:6000, 10.0.0.2\n10.0.0.1;10.0.0.3', PRESETS)
  expect(after.backends.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  expect(after.port).toBe('6000')
})

describe('the port of an address', () => {
  const withAddress = (part: Partial<PortForm>, text: string) => {
    const { preset, port, probe } = addBackends(form(part), text, PRESETS)
    return [preset, port, probe]
  }

  test('says what listens there as a rule', () => {
    expect(withAddress({}, '10.0.0.1:6379')).toEqual(['redis', '6379', true])
    expect(withAddress({ protocol: 'udp', preset: 'custom' }, '10.0.0.1:53')).toEqual(['dns', '53', true])
  })

  test('that is of nothing known makes it a plain one', () => {
    expect(withAddress({}, '10.0.0.1:7000')).toEqual(['custom', '7000', false])
  })

  test('leaves a preset that was chosen', () => {
    expect(withAddress({ isOwnPreset: true }, '10.0.0.1:6379')).toEqual(['postgres', '6379', true])
  })

  test('that is not there changes nothing', () => {
    expect(withAddress({ preset: 'mysql', port: '3306' }, '10.0.0.1')).toEqual(['mysql', '3306', true])
  })
})

describe('the name that is offered', () => {
  const NOBODY: ReadonlySet<string> = new Set()
  const offered = (part: Partial<PortForm>, taken = NOBODY) => nameFor({ ...EMPTY_FORM, ...part }, taken)
  const backends = [{ address: '10.200.1.5', weight: 1 }]

  test('is made of preset, address and port', () => {
    expect(offered({ backends })).toBe('postgres-10-200-1-5-5432')
    expect(offered({ backends, protocol: 'udp', preset: 'custom', port: '99' })).toBe('udp-10-200-1-5-99')
  })

  test('waits for the address and the port', () => {
    expect([offered({}), offered({ backends, port: '' })]).toEqual(['', ''])
  })

  test('gets a number where it is taken', () => {
    const taken = new Set(['postgres-10-200-1-5-5432', 'postgres-10-200-1-5-5432-2'])
    expect(offered({ backends }, taken)).toBe('postgres-10-200-1-5-5432-3')
  })

  test('is no field that is missing', () => {
    expect([...formFaults(EMPTY_FORM, 'service').keys()]).toEqual(['backends'])
  })

  test('is left out of the command, which makes up the same', () => {
    const command = exposeCommand({ ...EMPTY_FORM, backends, name: 'postgres-10-200-1-5-5432' })
    expect(command).toEqual(['fairlead expose 10.200.1.5:5432', '--preset postgres', '--wait'])
  })
})

test('what is missing is told field by field', () => {
  expect([
    ...formFaults(
      { ...EMPTY_FORM, isOwnName: true, port: '70000', byName: true, door: 'wish', wish: 'x' },
      'service',
    ).keys(),
  ]).toEqual(['name', 'backends', 'port', 'sniHostname', 'wish'])
  expect([...formFaults({ ...EMPTY_FORM, protocol: 'http' }, 'port').keys()]).toEqual(['domain'])
  expect(formFaults(addBackends(form(), '10.0.0.1', PRESETS), 'service').size).toBe(0)
})

describe('what is sent', () => {
  const FORMS: readonly (readonly [string, PortForm])[] = [
    ['plain TCP', form()],
    [
      'SNI on a shared number',
      form({ byName: true, passthrough: true, sniHostname: 'db.example.com', door: 'shared', shared: '443' }),
    ],
    [
      'TLS that ends at the proxy',
      form({ byName: true, passthrough: false, sniHostname: 'db.example.com', certResolver: 'letsencrypt' }),
    ],
    ['a wanted block', form({ protocol: 'udp', preset: 'custom', door: 'wish', wish: '11020', wishEnd: '11029' })],
    ['HTTP', form({ protocol: 'http', preset: 'http', port: '3000', domain: 'app.example.com', pathPrefix: '/api' })],
    ['limits', form({ allowCidrs: ['10.0.0.0/8'], maxConnectionsPerClient: '5', proxyProtocol: '2', expiry: '2h' })],
  ]

  test.each(FORMS)('%s is what the interface takes', (_, one) => {
    expect(PortInput.safeParse(portInput(one, NOW)).error?.issues).toBeUndefined()
  })

  test('a service has its backends and its one port', () => {
    expect(serviceInput(addBackends(form({ name: ' orders-db ' }), '10.0.0.1', PRESETS), NOW)).toEqual({
      name: 'orders-db',
      preset: 'postgres',
      endpoints: [{ address: '10.0.0.1', weight: 1 }],
      ports: [
        {
          port: 5432,
          protocol: 'tcp',
          isPublic: true,
          preset: 'postgres',
          tls: 'none',
          tlsPassthrough: false,
          probe: true,
        },
      ],
    })
  })

  test('an edit keeps what the form has no field for', () => {
    const patch = portPatch({ ...formOfPort(PORT), allowCidrs: [] }, PORT, NOW)
    expect(patch.allowCidrs).toEqual([])
    expect(Object.hasOwn(patch, 'probe')).toBe(false)
    expect(Object.hasOwn(patch, 'expiresAt')).toBe(false)
    expect(patch.externalPort).toBe(10_001)
  })

  test('an edit that takes the host name away says so with null', () => {
    const patch = portPatch(withByName(formOfPort(PORT), false, []), PORT, NOW)
    expect([patch.sniHostname, patch.tls, patch.shared]).toEqual([null, 'none', null])
  })
})

test('a port that was read makes the form that would send it again', () => {
  const read = formOfPort(PORT)
  expect([read.byName, read.door, read.wish, read.proxyProtocol, read.probe]).toEqual([
    true,
    'wish',
    '10001',
    '2',
    true,
  ])
  expect(changedFields(read, formOfPort(PORT))).toEqual([])
  expect(changedFields(read, { ...read, port: '1', allowCidrs: [] })).toEqual(['port', 'allowCidrs'])
})

test('an end is a moment', () => {
  expect(expiryOf({ expiry: 'never', expiresAt: '' }, NOW)).toBeNull()
  expect(expiryOf({ expiry: '2h', expiresAt: '' }, NOW)).toBe('2026-11-23T12:00:00.000Z')
  const midnight = new Date(expiryOf({ expiry: 'today', expiresAt: '' }, NOW) ?? '')
  expect([midnight.getHours(), midnight.getMinutes(), midnight.getTime() > NOW]).toEqual([0, 0, true])
  expect(expiryOf({ expiry: 'date', expiresAt: 'soon' }, NOW)).toBeNull()
})

test('a fault of the interface finds its field', () => {
  expect(
    [
      'ports[0].sniHostname',
      'endpoints[1].address',
      'externalPort',
      'tls',
      'name',
      'ports[0].allowCidrs[2]',
      'shared',
      '',
    ].map(fieldOfFault),
  ).toEqual(['sniHostname', 'backends', 'wish', 'passthrough', 'name', 'allowCidrs', 'shared', null])
})

test('the same by terminal is quoted for a shell', () => {
  expect(
    exposeCommand(addBackends(form({ name: "it's", byName: true, sniHostname: 'db.example.com' }), 'fd00::5', PRESETS)),
  ).toEqual([
    "fairlead expose '[fd00::5]:5432'",
    "--name 'it'\\''s'",
    '--preset postgres',
    '--sni db.example.com',
    '--wait',
  ])
})

describe('two who edit one port', () => {
  const before = formOfPort(PORT)
  const mine = { ...before, port: '1', wish: '10005' }
  const theirs = { ...before, port: '2', allowCidrs: [] }

  test('disagree only about what both have changed', () => {
    expect(contested(before, mine, theirs)).toEqual(['port'])
  })

  test('keep what the other has not touched', () => {
    const merged = merge(before, mine, theirs, new Map())
    expect([merged.port, merged.wish, merged.allowCidrs]).toEqual(['1', '10005', []])
    expect(merge(before, mine, theirs, new Map([['port', 'theirs']])).port).toBe('2')
  })
})
