/** Where a control plane is, and the connections to it: the configured address and no other. */
import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, type Dispatcher } from 'undici'
import { readHttpUrl } from '../../lib/setting-types.ts'
import { makeFault } from './control-plane-faults.ts'

/**
 * The base address out of the settings. Throws SOURCE_URL_INVALID for anything but https, or http to loopback, and for a user part,
 * a query or a fragment.
 */
export function parseControlPlaneUrl(text: string): URL {
  const read = readHttpUrl('https://control.example.com', 'loopback')(text)
  if (!read.ok) throw makeFault('SOURCE_URL_INVALID', `sources.controlPlane.urls: ${read.faults.join('; ')}`)
  return new URL(read.value)
}

/** The address of an agent's call. The base may have a path of its own. */
export const agentUrl = (base: URL, call: 'expected-state' | 'status'): URL =>
  new URL(`${base.origin}${base.pathname.replace(/\/+$/, '')}/api/v1/agent/${call}`)

// Plain http is for this machine only, so the one name that it may use never asks a name server.
const LOCALHOST = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

export function pinLocalhost(lookup: LookupFunction): LookupFunction {
  return (name, options, done) => {
    if (name !== 'localhost') return lookup(name, options, done)
    if (options.all) return done(null, LOCALHOST)
    done(null, '127.0.0.1', 4)
  }
}

export type ConnectionOptions = {
  /** PEM, one certificate or several: then only they are trusted. Null: the authorities that Node knows. */
  readonly ca: string | null
  readonly maxHeaderBytes: number
  readonly connectTimeoutMs: number
  /** At the same time, to each address. A held poll takes one for as long as it is held. */
  readonly connections: number
  /** Closes every connection at once, also those that are only being opened: `destroy` alone would wait for these. */
  readonly signal: AbortSignal
  /** Names to addresses; the system's without it. */
  readonly lookup?: LookupFunction
}

/** HTTP/1.1 over own connections: no proxy from the environment, no global dispatcher. `destroy` it at the end. */
export function createConnection({
  ca,
  maxHeaderBytes,
  connectTimeoutMs,
  connections,
  signal,
  lookup,
}: ConnectionOptions): Dispatcher {
  return new Agent({
    // HTTP/2 ends a body in other ways; one protocol means one rule for what was cut.
    allowH2: false,
    pipelining: 1,
    connections,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 15_000,
    // The name's next address is tried after this time.
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: 1_000,
    connect: {
      timeout: connectTimeoutMs,
      signal,
      lookup: pinLocalhost(lookup ?? systemLookup),
      ...(ca === null ? {} : { ca }),
    },
  })
}
