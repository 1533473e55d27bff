/** The few file operations that the agent's state needs, as a value: tests hand in ones that fail. `node:fs/promises` is the real one. */
import type { BigIntStats, Stats } from 'node:fs'
import * as nodeFs from 'node:fs/promises'

export type StateFile = {
  stat(): Promise<Stats>
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>
  sync(): Promise<void>
  close(): Promise<void>
}

export type StateFs = {
  open(path: string, flags: number, mode?: number): Promise<StateFile>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  readdir(path: string): Promise<string[]>
  mkdir(path: string, options: { readonly recursive: true; readonly mode: number }): Promise<unknown>
  stat(path: string, options: { readonly bigint: true }): Promise<BigIntStats>
  /** Rejects unless this process may do what `mode` says (fs.constants.W_OK). */
  access(path: string, mode: number): Promise<void>
}

export const realStateFs: StateFs = nodeFs

/** The error's code (`ENOSPC`), or null. */
export const errorCode = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
