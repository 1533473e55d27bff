import type { StateFile, StateFs } from '../../src/agent/store/state-fs.ts'
import { realStateFs } from '../../src/agent/store/state-fs.ts'

export type FileCall = 'stat' | 'read' | 'write' | 'sync' | 'close'
export type FolderCall = keyof StateFs

/** What may go wrong: gives the system's error code for a call on a path, or null to let it through. */
export type Trouble = (call: FileCall | FolderCall, path: string) => string | null

const systemError = (code: string): Error => Object.assign(new Error(`${code}: made by the test`), { code })

/** The real disk with the trouble that a test chooses. `calls` tells what was asked of it, in order. */
export function troubledFs(trouble: Trouble): { readonly fs: StateFs; readonly calls: string[] } {
  const calls: string[] = []
  const before = (call: FileCall | FolderCall, path: string): void => {
    calls.push(`${call} ${path.slice(path.lastIndexOf('/') + 1)}`)
    const code = trouble(call, path)
    if (code !== null) throw systemError(code)
  }
  const wrap = (file: StateFile, path: string): StateFile => ({
    async stat() {
      before('stat', path)
      return file.stat()
    },
    async read(buffer, offset, length, position) {
      before('read', path)
      return file.read(buffer, offset, length, position)
    },
    async write(buffer, offset, length, position) {
      before('write', path)
      return file.write(buffer, offset, length, position)
    },
    async sync() {
      before('sync', path)
      return file.sync()
    },
    async close() {
      // Closed all the same, as the kernel does: a test must not leak what it made fail.
      await file.close()
      before('close', path)
    },
  })
  const fs: StateFs = {
    async open(path, flags, mode) {
      before('open', path)
      return wrap(await realStateFs.open(path, flags, mode), path)
    },
    async rename(from, to) {
      before('rename', from)
      return realStateFs.rename(from, to)
    },
    async unlink(path) {
      before('unlink', path)
      return realStateFs.unlink(path)
    },
    async readdir(path) {
      before('readdir', path)
      return realStateFs.readdir(path)
    },
    async mkdir(path, options) {
      before('mkdir', path)
      return realStateFs.mkdir(path, options)
    },
    async stat(path, options) {
      before('stat', path)
      return realStateFs.stat(path, options)
    },
    async access(path, mode) {
      before('access', path)
      return realStateFs.access(path, mode)
    },
  }
  return { fs, calls }
}
