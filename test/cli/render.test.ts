import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { selfSigned } from '../support/certificates.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { tempFolder } from '../support/temp-folder.ts'

const PG = { id: 'pg', upstreams: ['10.200.1.5:5432'], externalPort: 10001 }
const ONE_PORT = { FAIRLEAD_PORTS_TCP: '10001', FAIRLEAD_PORTS_UDP: 'none' }

async function render(
  state: unknown,
  args: readonly string[] = [],
  env: Record<string, string> = ONE_PORT,
): Promise<CliResult> {
  const cwd = await tempFolder()
  await writeFile(join(cwd, 'a.json'), typeof state === 'string' ? state : JSON.stringify(state))
  return runCli(['render', 'a.json', ...args], { cwd, env })
}

describe('the body', () => {
  test('is the configuration with its beacon', async () => {
    const { code, out, err } = await render({ tcpRoutes: [PG] })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const { tcp, ...rest } = JSON.parse(out)
    const [beacon, ...services] = Object.keys(tcp.services)
    expect({ rest, routers: tcp.routers, beacon, services }).toEqual({
      rest: {},
      routers: { tcp_pg: { entryPoints: ['tcp-10001'], rule: 'HostSNI(`*`)', service: 'tcp_pg', priority: 1 } },
      beacon: expect.stringMatching(/^fairlead-revision-[0-9a-f]{64}$/),
      services: ['tcp_pg'],
    })
  })

  test('all formats say the same', async () => {
    const state = { tcpRoutes: [PG] }
    const [body, json, yaml] = await Promise.all([
      render(state),
      render(state, ['--format', 'json']),
      render(state, ['--format', 'yaml']),
    ])
    expect(JSON.parse(json.out)).toEqual(JSON.parse(body.out))
    expect(parse(yaml.out)).toEqual(JSON.parse(body.out))
    expect((await render(state, ['--format', 'body'])).out).toBe(body.out)
    expect([body.out.trimEnd().split('\n').length, json.out.split('\n').length > 10]).toEqual([1, true])
  })

  test('a large one comes out whole in every format', async () => {
    const tcpRoutes = Array.from({ length: 500 }, (_, i) => ({ ...PG, id: `r${i}`, sniHostname: `h${i}.example.com` }))
    const { out } = await render({ tcpRoutes }, ['--format', 'json'])
    expect(Object.keys(JSON.parse(out).tcp.routers).filter(name => name.startsWith('tcp_r'))).toHaveLength(500)
    expect((await render({ tcpRoutes })).out).toContain('<<:')
  })

  test('unused ports carry tombstones', async () => {
    const { out } = await render({ tcpRoutes: [] })
    expect(Object.keys(JSON.parse(out).tcp.routers)).toEqual(['tombstone_tcp-10001'])
  })

  test('fits the version that is asked for', async () => {
    const state = { tcpRoutes: [{ ...PG, sniHostname: '*.example.com' }] }
    const rule = async (version: string) =>
      JSON.parse((await render(state, ['--traefik', version])).out).tcp.routers.tcp_pg.rule
    expect([await rule('3.3.6'), await rule('3.7.15')]).toEqual([
      'HostSNIRegexp(`^[^.]+\\.example\\.com$`)',
      'HostSNI(`*.example.com`)',
    ])
    expect((await render(state)).out).toBe((await render(state, ['--traefik', '3.7.15'])).out)
  })
})

describe('what is left out', () => {
  test('routes that are not accepted, named on stderr', async () => {
    const { code, out, err } = await render({ tcpRoutes: [PG, { ...PG, id: 'far', externalPort: 9 }] })
    expect({ code, routers: Object.keys(JSON.parse(out).tcp.routers) }).toEqual({ code: 0, routers: ['tcp_pg'] })
    expect(err).toBe(
      'a.json  tcp/far\n  externalPort  9\n  rejected      port 9 is outside 10001.  PORT_OUT_OF_RANGE\n' +
        '  remedy        Choose a port of 10001, or add this one to ports.tcp on the node.\n\n',
    )
  })

  test('everything, when a document is no state', async () => {
    const { code, out, err } = await render('{}')
    expect({ code, out, named: err.startsWith('a.json\n') }).toEqual({ code: 2, out: '', named: true })
  })

  test('the keys of certificates', async () => {
    const { cert, key } = await selfSigned('app.example.com')
    const state = {
      traefik: { routes: [], certificates: [{ domain: 'app.example.com', certificate: cert, certificateKey: key }] },
    }
    const { code, out, err } = await render(state, [], { ...ONE_PORT, FAIRLEAD_PROVIDER_TOKEN_FILE: '/t' })
    expect({ code, files: JSON.parse(out).tls.certificates }).toEqual({
      code: 0,
      files: [{ certFile: expect.stringContaining('BEGIN CERTIFICATE'), keyFile: 'left out by fairlead render' }],
    })
    expect(out + err).not.toContain('PRIVATE KEY')
  })
})

test.each([
  [['--format', 'toml'], '--format: "toml" is not one of body, json, yaml'],
  [['--traefik', 'new'], '--traefik: "new" is not a version; write it as 3.7.15'],
])('the options %j are refused', async (args, sentence) => {
  expect(await render({ tcpRoutes: [] }, args)).toEqual({ code: 2, out: '', err: `fairlead render: ${sentence}\n` })
})
