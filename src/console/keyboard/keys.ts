/**
 * Which key means what. Pure: `readKey` takes what was pressed, and answers what is meant and whether a `G` now waits for its second key.
 *
 * Single keys are only read outside fields, and can be turned off (WCAG 2.1.4); `⌘K`, `⌘↵` and `Esc` always work.
 */
import { MAIN_PLACES, SIDE_PLACES } from '../places.ts'

export type Command =
  | 'palette'
  | 'filter'
  | 'expose'
  | 'row-next'
  | 'row-previous'
  | 'open'
  | 'edit'
  | 'copy'
  | 'explain'
  | 'node-previous'
  | 'node-next'
  | 'save'
  | 'help'

export type KeyPress = {
  readonly key: string
  /** ⌘ on a Mac, Ctrl elsewhere. */
  readonly mod: boolean
  readonly alt: boolean
  readonly shift: boolean
  /** The press came from a field, or from something else that takes text. */
  readonly inField: boolean
  /** The element under focus does something of its own on Enter, such as a link or a button. */
  readonly onControl: boolean
  /** Milliseconds. */
  readonly at: number
}

export type Meaning =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'go'; readonly path: string }
  /** `G` was pressed: the next key says where to. */
  | { readonly kind: 'prefix' }
  | { readonly kind: 'nothing' }

/** How long a `G` waits. */
export const PREFIX_MS = 1_200

const SINGLE: Readonly<Record<string, Command>> = {
  '/': 'filter',
  c: 'expose',
  j: 'row-next',
  k: 'row-previous',
  e: 'edit',
  y: 'copy',
  x: 'explain',
  '[': 'node-previous',
  ']': 'node-next',
  '?': 'help',
}

const GO: ReadonlyMap<string, string> = new Map(
  [...MAIN_PLACES, ...SIDE_PLACES].flatMap(({ key, path }) => (key === null ? [] : [[key, path] as const])),
)

const NOTHING: Meaning = { kind: 'nothing' }

/** `prefixAt`: when a `G` was pressed that still waits, else null. */
export function readKey(press: KeyPress, prefixAt: number | null, areSingleKeysOn: boolean): Meaning {
  const key = press.key.toLowerCase()
  if (press.mod && !press.alt) {
    if (key === 'k' && !press.shift) return { kind: 'command', command: 'palette' }
    return key === 'enter' ? { kind: 'command', command: 'save' } : NOTHING
  }
  if (press.inField || press.mod || press.alt || !areSingleKeysOn) return NOTHING
  if (prefixAt !== null && press.at - prefixAt <= PREFIX_MS) {
    const path = GO.get(key)
    return path === undefined ? NOTHING : { kind: 'go', path }
  }
  if (key === 'g' && !press.shift) return { kind: 'prefix' }
  if (key === 'enter') return press.onControl ? NOTHING : { kind: 'command', command: 'open' }
  const command = Object.hasOwn(SINGLE, press.key) ? SINGLE[press.key] : undefined
  return command === undefined ? NOTHING : { kind: 'command', command }
}

/** The list behind `?`, and how each key is written. */
export const KEY_LIST: readonly {
  readonly keys: readonly string[]
  readonly what: string
  readonly single: boolean
}[] = [
  { keys: ['⌘', 'K'], what: 'Find or do', single: false },
  { keys: ['/'], what: 'Filter this page', single: true },
  { keys: ['C'], what: 'Expose a port', single: true },
  { keys: ['G', 'O S R N P A'], what: 'Go to Overview, Services, Routes, Nodes, Ports, Audit', single: true },
  { keys: ['J', 'K'], what: 'Next row, row before', single: true },
  { keys: ['↵'], what: 'Open the row', single: true },
  { keys: ['E'], what: 'Edit', single: true },
  { keys: ['Y'], what: 'Copy the address', single: true },
  { keys: ['X'], what: 'Explain', single: true },
  { keys: ['[', ']'], what: 'Node before, node after', single: true },
  { keys: ['⌘', '↵'], what: 'Save', single: false },
  { keys: ['Esc'], what: 'Close, go back', single: false },
  { keys: ['?'], what: 'This list', single: true },
]
