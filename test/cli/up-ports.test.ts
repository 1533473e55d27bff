import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type Bind, bindPort, choosePorts, NoPortError } from '../../src/cli/up/ports.ts'
import { makePortSet } from '../../src/core/port-set.ts'
import { atEnd } from '../support/at-end.ts'

const POOLS = { tcp: makePortSet([10_000, 10_001, 10_002]), udp: makePortSet([11_000, 11_001]) }

/** A machine on which these are taken (`tcp 8080`) or forbidden, and the kernel gives 40001, 40002 ... */
function machine(refused: Readonly<Record<string, string>> = {}): { bind: Bind; open: () => number } {
  const held = new Set<string>()
  let given = 40_000
  let open = 0
  const bind: Bind = async ({ protocol, port: asked }) => {
    const port = asked === 0 ? ++given : asked
    const name = `${protocol} ${port}`
    const code = refused[name] ?? (held.has(name) ? 'EADDRINUSE' : undefined)
    if (code !== undefined) return { ok: false, code }
    held.add(name)
    open += 1
    const release = async () => {
      held.delete(name)
      open -= 1
    }
    return { ok: true, port, release }
  }
  return { bind, open: () => open }
}

const flat = ({ ports, notes }: Awaited<ReturnType<typeof choosePorts>>) => ({
  ...ports,
  tcp: ports.tcp.text,
  udp: ports.udp.text,
  notes,
})

const USUAL = {
  ...{ web: 80, websecure: 443, api: 8080, provider: 7480, admin: 7481, control: 7400 },
  ...{ tcp: '10000-10002', udp: '11000-11001', notes: [] },
}

describe('the choice', () => {
  test('a free machine gives the usual ports', async () => {
    const { bind, open } = machine()
    expect(flat(await choosePorts(POOLS, bind))).toEqual(USUAL)
    expect(open()).toBe(0)
  })

  test('an ordinary user gets 8000 and 8443', async () => {
    const { bind } = machine({ 'tcp 80': 'EACCES', 'tcp 443': 'EACCES' })
    expect(flat(await choosePorts(POOLS, bind))).toEqual({
      ...USUAL,
      web: 8000,
      websecure: 8443,
      notes: [
        'HTTP is on port 8000: 80 may not be opened by this user',
        'HTTPS is on port 8443: 443 may not be opened by this user',
      ],
    })
  })

  test('when those are taken, too, the kernel gives one', async () => {
    const { bind } = machine({ 'tcp 80': 'EADDRINUSE', 'tcp 8000': 'EADDRINUSE', 'tcp 7480': 'EADDRINUSE' })
    expect(flat(await choosePorts(POOLS, bind))).toEqual({
      ...USUAL,
      web: 40_001,
      provider: 40_002,
      notes: [
        'HTTP is on port 40001: 80 is taken, 8000 is taken',
        'the provider endpoint is on port 40002: 7480 is taken',
      ],
    })
  })

  test('ports of a pool that are taken are left out by name', async () => {
    const { bind } = machine({ 'tcp 10000': 'EADDRINUSE', 'udp 11000': 'EADDRINUSE', 'udp 11001': 'EADDRINUSE' })
    expect(flat(await choosePorts(POOLS, bind))).toEqual({
      ...USUAL,
      tcp: '10001-10002',
      udp: 'none',
      notes: ['TCP port 10000 is left out: it is taken', 'UDP ports 11000-11001 are left out: each is taken'],
    })
  })

  test('a pool shares the ports of HTTP and none of ours', async () => {
    const { bind } = machine()
    const pools = { tcp: makePortSet([443, 7480, 8080]), udp: makePortSet([443]) }
    expect(flat(await choosePorts(pools, bind))).toEqual({
      ...USUAL,
      tcp: '443',
      udp: '443',
      notes: ['TCP ports 7480, 8080 are left out: each is taken'],
    })
  })

  test('no port at all is an error, and nothing stays open', async () => {
    const { bind, open } = machine()
    const noneForAdmin: Bind = async binding =>
      binding.port === 7481 || binding.port === 0 ? { ok: false, code: 'EMFILE' } : bind(binding)
    await expect(choosePorts(POOLS, noneForAdmin)).rejects.toEqual(
      new NoPortError(
        'there is no port for the admin endpoint: 7481 cannot be opened (EMFILE), a port of the kernel cannot be opened (EMFILE)',
      ),
    )
    expect(open()).toBe(0)
  })
})

describe('binding as Traefik does', () => {
  async function listenTcp(host: string): Promise<number> {
    const server = createServer()
    await new Promise<void>(resolve => server.listen({ port: 0, host, ipv6Only: true }, resolve))
    atEnd(() => new Promise(resolve => server.close(resolve)))
    const address = server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  }
  async function listenUdp(type: 'udp4' | 'udp6', address: string): Promise<number> {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' })
    await new Promise<void>(resolve => socket.bind(0, address, resolve))
    atEnd(() => new Promise<void>(resolve => socket.close(() => resolve())))
    return socket.address().port
  }
  const all = async (protocol: 'tcp' | 'udp', port: number) => {
    const bound = await bindPort({ protocol, host: '', port })
    if (bound.ok) await bound.release()
    return bound.ok ? 'bound' : bound.code
  }

  test.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('a TCP listener on %s is in the way', async host => {
    expect(await all('tcp', await listenTcp(host))).toBe('EADDRINUSE')
  })

  test.each([
    ['udp4', '127.0.0.1'],
    ['udp4', '0.0.0.0'],
    ['udp6', '::1'],
    ['udp6', '::'],
  ] as const)('a socket of %s on %s is in the way', async (type, address) => {
    expect(await all('udp', await listenUdp(type, address))).toBe('EADDRINUSE')
  })

  test('a port that was let go is free again', async () => {
    const first = await bindPort({ protocol: 'udp', host: '', port: 0 })
    if (!first.ok) throw new Error(first.code)
    await first.release()
    expect(await all('udp', first.port)).toBe('bound')
  })

  test('on loopback the other addresses do not matter', async () => {
    const port = await listenTcp('::1')
    const bound = await bindPort({ protocol: 'tcp', host: '127.0.0.1', port })
    if (bound.ok) await bound.release()
    expect(bound.ok).toBe(true)
  })
})
