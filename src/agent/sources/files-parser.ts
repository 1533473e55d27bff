/**
 * Parses files, large ones in a worker thread.
 *
 * Ten thousand routes in YAML take two seconds and 200 MB to read. In the agent's own thread Traefik's polls would wait as long, and a
 * file made to be costly could end the process. A worker has a heap and a time of its own: what breaks is the file, not the agent.
 */
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { keptJson } from '../../core/hash.ts'
import { createRouteMemory, type Route, type RouteMemory } from '../../core/route.ts'
import { fileProblem } from '../../core/yaml-document.ts'
import { type ParsedFile, type ParseFileOptions, parseFile, type RoutesFile } from './files-parse.ts'

export type ParserJob = { readonly bytes: Uint8Array; readonly options: ParseFileOptions }
export type ParserAnswer = { readonly kind: 'ready' } | { readonly kind: 'parsed'; readonly parsed: PackedFile }

/** A file on its way from the worker: each route as its canonical JSON. */
export type PackedFile =
  | Exclude<ParsedFile, { ok: true }>
  | { readonly ok: true; readonly file: Omit<RoutesFile, 'routes'>; readonly routes: readonly string[] }

export function packFile(parsed: ParsedFile): PackedFile {
  if (!parsed.ok) return parsed
  const { routes, ...file } = parsed.file
  return { ok: true, file, routes: routes.map(keptJson) }
}

/** A route that was there before stays the same object: what was found out about it counts on. */
export function unpackFile(packed: PackedFile, memory: RouteMemory): ParsedFile {
  if (!packed.ok) return packed
  const routes = packed.routes.map(text => {
    const known = memory.get(text)
    if (known !== undefined) return known
    const route: Route = JSON.parse(text)
    memory.set(text, route)
    return route
  })
  memory.turn()
  return { ok: true, file: { ...packed.file, routes } }
}

export type FileParserOptions = {
  readonly logger: Logger
  /** Files up to so many bytes are parsed at once, in about 60 ms at most for honest ones. */
  readonly inlineBytes?: number
  readonly timeoutMs?: number
  readonly heapMegabytes?: number
  /** How long the worker is kept for the next file. */
  readonly idleMs?: number
  /** The worker's module. */
  readonly workerUrl?: () => URL
}

export interface FileParser {
  /** A value for a small file, a promise for a large one. Never rejects. */
  parse(bytes: Uint8Array, options: ParseFileOptions, memory?: RouteMemory): ParsedFile | Promise<ParsedFile>
  close(): Promise<void>
}

const refused = (label: string, message: string): ParsedFile => ({
  ok: false,
  problem: fileProblem(
    label,
    message,
    'Spread the routes over several files, or write the file as JSON, which takes a small part of the time and memory.',
  ),
})

/** Beside this module under the same ending: .ts in a checkout, .js when built. */
const besideThis = (): URL =>
  new URL(`./files-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/** Opens nothing before the first large file. */
export function createFileParser({
  logger,
  inlineBytes = 32 * 1024,
  timeoutMs = 60_000,
  heapMegabytes = 384,
  idleMs = 30_000,
  workerUrl = besideThis,
}: FileParserOptions): FileParser {
  let worker: Worker | null = null
  let idle: NodeJS.Timeout | undefined
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  let workless = false

  async function drop(): Promise<void> {
    clearTimeout(idle)
    const going = worker
    worker = null
    await going?.terminate()
  }

  function start(): Worker {
    const made = new Worker(workerUrl(), { resourceLimits: { maxOldGenerationSizeMb: heapMegabytes } })
    made.unref()
    // Between two jobs nobody else listens, and an error without a listener would end the process.
    made.on('error', () => {
      if (worker === made) worker = null
    })
    return made
  }

  /** The worker's answer, or null when there is no worker to be had here. */
  function ask(job: ParserJob, memory: RouteMemory): Promise<ParsedFile | null> {
    const { label } = job.options
    const fresh = worker === null
    const asked = worker ?? start()
    worker = asked
    return new Promise(resolve => {
      let ready = !fresh
      const settle = (parsed: ParsedFile | null, keep: boolean): void => {
        clearTimeout(timer)
        asked.off('message', onMessage).off('error', onError).off('exit', onExit)
        if (!keep && worker === asked) void drop()
        resolve(parsed)
      }
      const onMessage = (message: ParserAnswer): void => {
        if (message.kind === 'ready') ready = true
        else settle(unpackFile(message.parsed, memory), true)
      }
      const onError = (error: Error & { code?: string }): void => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
          settle(refused(label, 'the file takes more memory to parse than there is for it'), false)
        else {
          logger.error({ err: error, file: label, ready }, 'parsing thread failed')
          settle(ready ? refused(label, 'the file cannot be parsed; the log of the agent has the cause') : null, false)
        }
      }
      const onExit = (): void => settle(refused(label, 'the thread that parsed the file ended'), false)
      const timer = setTimeout(
        () => settle(refused(label, `the file took longer than ${timeoutMs / 1000} s to parse`), false),
        timeoutMs,
      )
      asked.on('message', onMessage).on('error', onError).on('exit', onExit)
      asked.postMessage(job)
    })
  }

  async function parseApart(bytes: Uint8Array, options: ParseFileOptions, memory: RouteMemory): Promise<ParsedFile> {
    if (closed) return refused(options.label, 'the agent is stopping')
    clearTimeout(idle)
    let parsed: ParsedFile | null = null
    if (!workless) {
      try {
        parsed = await ask({ bytes, options }, memory)
      } catch (error) {
        logger.error({ err: error }, 'parsing thread cannot be started')
      }
    }
    idle = setTimeout(() => void drop(), idleMs)
    idle.unref()
    if (parsed !== null) return parsed
    // In one bundled file the worker's module has no place of its own: large files are then read here, and take the time they take.
    workless = true
    return parseFile(bytes, options, memory)
  }

  return {
    parse(bytes, options, memory) {
      if (bytes.length <= inlineBytes) return parseFile(bytes, options, memory)
      const parsed = last.then(() => parseApart(bytes, options, memory ?? createRouteMemory()))
      last = parsed
      return parsed
    },
    async close() {
      closed = true
      await drop()
    },
  }
}
