/**
 * The folder of an embedded PostgreSQL, with an fsync that reaches the disk.
 *
 * PGlite 0.5.16 runs PostgreSQL as WebAssembly on emscripten's NODEFS, which has no fsync at all: PostgreSQL asks, and is told that all is
 * well. Here it gets the real one, for files and for folders (those are open files to it, too). It leans on emscripten's inside, so
 * PGlite is pinned to the letter, what we need is checked when a database opens, and a test counts the calls.
 */
import fs from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { DatabaseError } from './error.ts'

/** What emscripten knows an open file by; `nfd` is the file descriptor of Node. */
type Stream = { readonly nfd?: number }

type StreamOps = {
  open: (stream: Stream) => void
  close: (stream: Stream) => void
  fsync?: (stream: Stream) => number
}

type FsInit = Parameters<NodeFS['init']>
type FsOptions = Awaited<ReturnType<NodeFS['init']>>

// WASI's number for an I/O error.
const EIO = 29

export type DurableFsEvents = {
  /** PostgreSQL has given up (PANIC): the instance is of no use any more, and its memory is not to be trusted. */
  readonly onAbort: () => void
}

export class DurableFs extends NodeFS {
  readonly #open = new Set<number>()
  readonly #onAbort: () => void

  constructor(directory: string, { onAbort }: DurableFsEvents) {
    super(directory)
    this.#onAbort = onAbort
  }

  override async init(pg: PGlite, options: FsInit[1]): Promise<FsOptions> {
    const result = await super.init(pg, options)
    result.emscriptenOpts.preRun?.push(module => {
      module.onAbort = this.#onAbort
      const ops: Partial<StreamOps> | undefined = module.NODEFS?.stream_ops
      this.#patch(ops)
    })
    return result
  }

  #patch(ops: Partial<StreamOps> | undefined): void {
    if (ops?.open === undefined || ops.close === undefined || ops.fsync !== undefined)
      throw new DatabaseError(
        'DATABASE_BROKEN',
        'this version of PGlite cannot be made durable: NODEFS is not as expected',
      )
    const { open, close } = ops
    ops.open = stream => {
      open(stream)
      if (stream.nfd !== undefined) this.#open.add(stream.nfd)
    }
    ops.close = stream => {
      if (stream.nfd !== undefined) this.#open.delete(stream.nfd)
      close(stream)
    }
    ops.fsync = stream => {
      try {
        if (stream.nfd !== undefined) fs.fsyncSync(stream.nfd)
        return 0
      } catch {
        // PostgreSQL stops at this, as it must: nobody knows any more what is on the disk.
        return EIO
      }
    }
  }

  /** Closes the files of an instance that has aborted: it cannot do so itself, and nothing may write through it any more. */
  abandon(): void {
    for (const descriptor of this.#open) {
      try {
        fs.closeSync(descriptor)
      } catch {
        // It has closed this one itself.
      }
    }
    this.#open.clear()
  }
}

// Of a thousand files one after the other takes five times as long: the disk is asked for each, instead of for many at once.
const SYNCS_AT_ONCE = 16

/** Writes a whole folder through to the disk: what was made in it without fsync is then as safe as with it. */
export async function syncTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const inside = entries.filter(entry => entry.isFile() || entry.isDirectory())
  const paths = [directory, ...inside.map(entry => join(entry.parentPath, entry.name))].values()
  const syncNext = async (): Promise<void> => {
    for (const path of paths) {
      const file = await open(path, 'r')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
    }
  }
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, syncNext))
}

export function syncPath(path: string): void {
  const descriptor = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
