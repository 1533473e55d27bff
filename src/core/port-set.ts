/**
 * A set of port numbers as settings write it: `10000-10099,5432`.
 *
 * Order and repetition in the text mean nothing: two texts with the same numbers give equal sets with the same `text`.
 */
export type PortSet = {
  /** The one canonical form: ascending, ranges joined, commas without blanks; `none` when empty. */
  readonly text: string
  readonly size: number
  has(port: number): boolean
  /** Ascending. */
  list(): readonly number[]
}

export type PortSetResult =
  | { readonly ok: true; readonly ports: PortSet }
  /** One sentence for each part of the text that is wrong, with the way out. */
  | { readonly ok: false; readonly faults: readonly string[] }

const MAX_PORT = 65_535
const FORM = 'write ports as 10000-10099,5432'

function format(sorted: readonly number[]): string {
  const parts: string[] = []
  for (let i = 0; i < sorted.length; i++) {
    const first = sorted[i]
    while (sorted[i + 1] === (sorted[i] ?? 0) + 1) i++
    parts.push(first === sorted[i] ? `${first}` : `${first}-${sorted[i]}`)
  }
  return parts.length === 0 ? 'none' : parts.join(',')
}

/** Throws a RangeError for a number that is not a port: numbers come from code here, not from people. */
export function makePortSet(ports: Iterable<number>): PortSet {
  const members = new Set(ports)
  for (const port of members) {
    if (!Number.isInteger(port) || port < 1 || port > MAX_PORT) throw new RangeError(`${port} is not a port`)
  }
  const sorted = Object.freeze([...members].sort((a, b) => a - b))
  return Object.freeze({
    text: format(sorted),
    size: sorted.length,
    has: (port: number) => members.has(port),
    list: () => sorted,
  })
}

export const NO_PORTS: PortSet = makePortSet([])

function portFault(digits: string): string | null {
  if (!/^[0-9]{1,9}$/.test(digits)) return `"${digits}" is not a port number; ${FORM}`
  const port = Number(digits)
  return port >= 1 && port <= MAX_PORT ? null : `port ${port} is outside 1-${MAX_PORT}`
}

/** Total: `none` is the empty set, and every part that is wrong gives one fault. */
export function parsePortSet(text: string): PortSetResult {
  if (text.trim() === 'none') return { ok: true, ports: NO_PORTS }
  if (text.trim() === '') return { ok: false, faults: [`no ports are named; ${FORM}, or none`] }
  const faults: string[] = []
  const ports: number[] = []
  for (const raw of text.split(',')) {
    const part = raw.trim()
    if (part === '') {
      faults.push(`there is nothing between two commas; ${FORM}`)
      continue
    }
    const [from = '', to = from, ...more] = part.split('-').map(end => end.trim())
    const fault = more.length > 0 ? `"${part}" is not a range; ${FORM}` : (portFault(from) ?? portFault(to))
    if (fault !== null) faults.push(fault)
    else if (Number(to) < Number(from))
      faults.push(`the range ${part} ends before it begins; write it as ${to}-${from}`)
    else for (let port = Number(from); port <= Number(to); port++) ports.push(port)
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, ports: makePortSet(ports) }
}
