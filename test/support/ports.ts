/**
 * Free ports for another process to listen on.
 *
 * A port that is only looked up and given back may be taken by anybody before that process listens: by the local end of any connection,
 * if the kernel chose it, and by a test file that runs beside this one. So they lie outside the range that the kernel gives away, and
 * each stays reserved for this process, by an abstract socket of its number, until it exits. Hence they also survive a restart of Traefik.
 */
import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'

type Transport = 'tcp' | 'udp'

const LOOPBACK = '127.0.0.1'
// Below are the ports that people and our own defaults use.
const LOWEST = 12_000
const ATTEMPTS = 200

/** `count` neighbouring ports, ascending, on which nothing of this protocol listens on 127.0.0.1. Throws when it finds none. */
export async function freePorts(count: number, protocol: Transport): Promise<number[]> {
  const end = await firstEphemeralPort()
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const first = LOWEST + Math.floor(Math.random() * (end - LOWEST - count))
    const ports = Array.from({ length: count }, (_, index) => first + index)
    if (await take(ports, protocol)) return ports
  }
  throw new Error(`no ${count} neighbouring free ${protocol} ports between ${LOWEST} and ${end}`)
}

export async function freePort(protocol: Transport): Promise<number> {
  const [port] = await freePorts(1, protocol)
  if (port === undefined) throw new Error('freePorts gave none')
  return port
}

/** All or none: every socket is held until the last one is bound. */
async function take(ports: readonly number[], protocol: Transport): Promise<boolean> {
  const reservations: Server[] = []
  const bound: (() => Promise<void>)[] = []
  let complete = true
  for (const port of ports) {
    const reservation = await reserve(port, protocol)
    if (reservation !== null) reservations.push(reservation)
    const release = reservation === null ? null : await bind(port, protocol)
    if (release !== null) bound.push(release)
    if (release === null) {
      complete = false
      break
    }
  }
  await Promise.all(bound.map(release => release()))
  if (!complete) for (const reservation of reservations) reservation.close()
  return complete
}

/** Null when another test process has it. */
function reserve(port: number, protocol: Transport): Promise<Server | null> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(`\0fairlead-test-${protocol}-${port}`, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** Null when it is taken, else what gives it back. */
function bind(port: number, protocol: Transport): Promise<(() => Promise<void>) | null> {
  return new Promise(resolve => {
    if (protocol === 'tcp') {
      const server = createServer()
      server.once('error', () => resolve(null))
      server.listen(port, LOOPBACK, () => resolve(() => new Promise(closed => server.close(() => closed()))))
    } else {
      const socket = createSocket('udp4')
      socket.once('error', () => resolve(null))
      socket.bind(port, LOOPBACK, () => resolve(() => new Promise(closed => socket.close(() => closed()))))
    }
  })
}

async function firstEphemeralPort(): Promise<number> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '')
  const first = Number(/^\d+/.exec(text)?.[0])
  // A machine that gives nearly all ports away leaves no better place than the usual one.
  return first > LOWEST + 2000 ? first : 32_768
}
