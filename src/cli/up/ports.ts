/**
 * Which ports `fairlead up` uses. The only way to know whether one is free is to bind it, just as Traefik will: TCP and UDP, and on all
 * addresses, IPv6 and IPv4 at once. One entry point that cannot be bound keeps Traefik from starting at all.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { makePortSet, type PortSet } from '../../core/port-set.ts'
import { errorCode } from '../../lib/errors.ts'

export type Binding = {
  readonly protocol: 'tcp' | 'udp'
  /** Empty: all addresses. */
  readonly host: string
  /** 0: one that the kernel gives. */
  readonly port: number
}

export type Bound =
  | { readonly ok: true; readonly port: number; readonly release: () => Promise<void> }
  | { readonly ok: false; readonly code: string }

export type Bind = (binding: Binding) => Promise<Bound>

function bindTcp(host: string, port: number): Promise<Bound> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', error => resolve({ ok: false, code: errorCode(error) ?? 'unknown error' }))
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const bound = address === null || typeof address === 'string' ? port : address.port
      resolve({ ok: true, port: bound, release: () => new Promise(done => server.close(() => done())) })
    })
  })
}

function bindUdp(host: string, port: number): Promise<Bound> {
  return new Promise(resolve => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', error => {
      socket.close()
      resolve({ ok: false, code: errorCode(error) ?? 'unknown error' })
    })
    socket.bind({ address: host, port, exclusive: true }, () =>
      resolve({
        ok: true,
        port: socket.address().port,
        release: () => new Promise(done => socket.close(() => done())),
      }),
    )
  })
}

/** A machine without IPv6; then Go listens on IPv4 alone. */
const NO_IPV6 = ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']

export async function bindPort({ protocol, host, port }: Binding): Promise<Bound> {
  const bind = protocol === 'tcp' ? bindTcp : bindUdp
  if (host !== '') return bind(host, port)
  const both = await bind('::', port)
  return !both.ok && NO_IPV6.includes(both.code) ? bind('0.0.0.0', port) : both
}

export type Ports = {
  readonly web: number
  readonly websecure: number
  /** Of Traefik: API, metrics and ping. On loopback, like the two of the agent and the one of the control plane. */
  readonly api: number
  readonly provider: number
  readonly admin: number
  /** Of the control plane and its console. On loopback, too. */
  readonly control: number
  readonly tcp: PortSet
  readonly udp: PortSet
}

export type PortChoice = {
  readonly ports: Ports
  /** What is other than usual, and why. */
  readonly notes: readonly string[]
}

export type Pools = { readonly tcp: PortSet; readonly udp: PortSet }

const LOOPBACK = '127.0.0.1'
const ANY = 0

const FIXED = {
  web: { host: '', wanted: [80, 8000, ANY] },
  websecure: { host: '', wanted: [443, 8443, ANY] },
  api: { host: LOOPBACK, wanted: [8080, ANY] },
  provider: { host: LOOPBACK, wanted: [7480, ANY] },
  admin: { host: LOOPBACK, wanted: [7481, ANY] },
  control: { host: LOOPBACK, wanted: [7400, ANY] },
} as const

const NAMES: Readonly<Record<keyof typeof FIXED, string>> = {
  web: 'HTTP',
  websecure: 'HTTPS',
  api: "Traefik's API",
  provider: 'the provider endpoint',
  admin: 'the admin endpoint',
  control: 'the control plane',
}

const reason = (code: string): string =>
  code === 'EADDRINUSE'
    ? 'is taken'
    : code === 'EACCES'
      ? 'may not be opened by this user'
      : `cannot be opened (${code})`

type Left = { readonly ports: PortSet; readonly notes: readonly string[] }

/** One after the other: a large pool must not need as many open files. */
async function free(protocol: 'tcp' | 'udp', wanted: PortSet, shared: readonly number[], bind: Bind): Promise<Left> {
  const left: number[] = []
  const lost = new Map<string, number[]>()
  for (const port of wanted.list()) {
    const bound = shared.includes(port) ? null : await bind({ protocol, host: '', port })
    if (bound === null || bound.ok) {
      left.push(port)
      await bound?.release()
    } else lost.set(bound.code, [...(lost.get(bound.code) ?? []), port])
  }
  const notes = [...lost].map(([code, ports]) => {
    const names = makePortSet(ports).text.replaceAll(',', ', ')
    const name = protocol.toUpperCase()
    return ports.length === 1
      ? `${name} port ${names} is left out: it ${reason(code)}`
      : `${name} ports ${names} are left out: each ${reason(code)}`
  })
  return { ports: makePortSet(left), notes }
}

/** What of the pools can be bound now. @param shared ports of the pool that another entry point has, which is used then */
export async function freePools(
  pools: Pools,
  shared: readonly number[],
  bind: Bind = bindPort,
): Promise<{ readonly pools: Pools; readonly notes: readonly string[] }> {
  const tcp = await free('tcp', pools.tcp, shared, bind)
  const udp = await free('udp', pools.udp, [], bind)
  return { pools: { tcp: tcp.ports, udp: udp.ports }, notes: [...tcp.notes, ...udp.notes] }
}

/** No port could be had at all, not even one of the kernel's choice. */
export class NoPortError extends Error {
  override readonly name = 'NoPortError'
}

/**
 * Chooses all ports at once, so that no two of them are the same. They are free again when this returns: whoever is quicker than Traefik
 * may still take one. Throws a NoPortError.
 */
export async function choosePorts(pools: Pools, bind: Bind = bindPort): Promise<PortChoice> {
  const held: (() => Promise<void>)[] = []
  const notes: string[] = []

  async function choose(name: keyof typeof FIXED): Promise<number> {
    const { host, wanted } = FIXED[name]
    const refusals: string[] = []
    for (const port of wanted) {
      const bound = await bind({ protocol: 'tcp', host, port })
      if (bound.ok) {
        held.push(bound.release)
        if (refusals.length > 0) notes.push(`${NAMES[name]} is on port ${bound.port}: ${refusals.join(', ')}`)
        return bound.port
      }
      refusals.push(`${port === ANY ? 'a port of the kernel' : port} ${reason(bound.code)}`)
    }
    throw new NoPortError(`there is no port for ${NAMES[name]}: ${refusals.join(', ')}`)
  }

  try {
    const web = await choose('web')
    const websecure = await choose('websecure')
    const api = await choose('api')
    const provider = await choose('provider')
    const admin = await choose('admin')
    const control = await choose('control')
    const free = await freePools(pools, [web, websecure], bind)
    return { ports: { web, websecure, api, provider, admin, control, ...free.pools }, notes: [...notes, ...free.notes] }
  } finally {
    await Promise.all(held.map(release => release()))
  }
}
