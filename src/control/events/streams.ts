/**
 * Everybody who looks on: one stream each, of hints.
 *
 *   hub -> hint -> each stream whose actor may know      a clock, every five seconds -> heartbeat
 *                                                        nodes that fell silent since -> hint: nobody else would say so
 *
 * Nothing is kept for anyone: who reads too slowly is cut off, comes again and fetches again. A stream ends by itself after a while, so
 * that whoever is still there has to show anew that it may be.
 */
import type { Writable } from 'node:stream'
import type { Logger } from 'pino'
import type { ServerEvent } from '../../api/event.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Actor } from '../access/actor.ts'
import type { Database } from '../db/client.ts'
import type { Hub, HubEvent } from '../hub.ts'
import { readFleet } from '../routes/fleet.ts'
import { isSilent } from '../routes/verdict.ts'
import { eventText, toEvent } from './to-event.ts'

export type StreamSettings = {
  readonly heartbeatMs: number
  /** Streams of one actor. */
  readonly perActor: number
  readonly total: number
  /** Bytes that wait for a reader; beyond, it is cut off. */
  readonly maxWaitingBytes: number
  readonly lifeMs: number
}

export const STREAMS: StreamSettings = {
  heartbeatMs: 5_000,
  perActor: 12,
  total: 2_000,
  maxWaitingBytes: 128 * 1024,
  lifeMs: 5 * 60_000,
}

export type StreamsOptions = {
  readonly hub: Pick<Hub, 'subscribe' | 'position'>
  readonly database: Pick<Database, 'transaction'>
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly settings?: Partial<StreamSettings>
}

export interface Streams {
  /** False: this actor, or all together, have as many as there may be, or we are stopping. */
  mayOpen(actor: Actor): boolean
  /** Writes to it until one of both ends it. */
  open(actor: Actor, to: Writable): void
  /** How many there are. */
  count(): number
  /** Ends all of them, those to come included. */
  close(): void
}

type Stream = { readonly key: string; readonly actor: Actor; readonly to: Writable; readonly life: NodeJS.Timeout }

const NOWHERE = { epoch: 0, revision: 0 }

const keyOf = ({ kind, id }: Actor): string => `${kind} ${id}`

export function createStreams({ hub, database, clock, logger, settings: given }: StreamsOptions): Streams {
  const settings = { ...STREAMS, ...given }
  const streams = new Set<Stream>()
  let unsubscribe: (() => void) | null = null
  let timer: NodeJS.Timeout | null = null
  let silent: ReadonlySet<string> | null = null
  let looking = false
  let closed = false

  const at = (): string => new Date(clock.now()).toISOString()
  const position = () => hub.position() ?? NOWHERE

  function write({ to }: Stream, text: string): void {
    if (to.writableEnded || to.destroyed) return
    to.write(text)
    if (to.writableLength > settings.maxWaitingBytes) {
      logger.debug({ bytes: to.writableLength }, 'event stream cut off: its reader is too slow')
      to.destroy()
    }
  }

  function tell(event: HubEvent): void {
    const moment = at()
    const here = position()
    const texts = new Map<string, string | null>()
    for (const stream of streams) {
      const key = stream.actor.projectId ?? ''
      let text = texts.get(key)
      if (text === undefined) {
        const hint = toEvent(event, stream.actor, here, moment)
        text = hint === null ? null : eventText(hint)
        texts.set(key, text)
      }
      if (text !== null) write(stream, text)
    }
  }

  /** Silence makes no noise: whoever shows verdicts has to be told that they are not known any more. */
  async function lookForSilence(): Promise<void> {
    if (looking) return
    looking = true
    try {
      const { nodes } = await database.transaction(readFleet, { readOnly: true })
      const now = new Set(nodes.filter(isSilent).map(({ id }) => id))
      const before = silent
      silent = now
      if (before === null) return
      const changed = [...new Set([...now, ...before])].filter(id => now.has(id) !== before.has(id))
      if (changed.length === 0) return
      for (const kind of ['node', 'verdict'] as const)
        tell({ kind, ids: kind === 'node' ? changed : [], revision: null, projectId: null })
    } catch (error) {
      logger.debug({ err: error }, 'nodes could not be looked at')
    } finally {
      looking = false
    }
  }

  function heartbeat(): ServerEvent {
    const { epoch, revision } = position()
    return { event: 'heartbeat', data: { at: at(), epoch, revision } }
  }

  function beat(): void {
    const text = eventText(heartbeat())
    for (const stream of streams) write(stream, text)
    void lookForSilence()
  }

  function leave(stream: Stream): void {
    if (!streams.delete(stream)) return
    clearTimeout(stream.life)
    if (streams.size > 0) return
    if (timer !== null) clearInterval(timer)
    timer = null
    silent = null
    unsubscribe?.()
    unsubscribe = null
  }

  return {
    mayOpen(actor) {
      const key = keyOf(actor)
      const own = [...streams].filter(stream => stream.key === key).length
      return !closed && own < settings.perActor && streams.size < settings.total
    },
    open(actor, to) {
      // Whoever left while it was looked at who asks has closed already, and would never be heard to.
      if (to.destroyed) return
      const key = keyOf(actor)
      const life = setTimeout(() => to.end(), settings.lifeMs)
      life.unref()
      const stream: Stream = { key, actor, to, life }
      streams.add(stream)
      to.on('close', () => leave(stream))
      to.on('error', () => leave(stream))
      unsubscribe ??= hub.subscribe(tell)
      if (timer === null) {
        timer = setInterval(beat, settings.heartbeatMs)
        void lookForSilence()
      }
      // How soon a browser comes again when the stream ends.
      write(stream, `retry: 1000\n\n${eventText(heartbeat())}`)
    },
    count: () => streams.size,
    close() {
      closed = true
      for (const { to } of streams) to.end()
    },
  }
}
