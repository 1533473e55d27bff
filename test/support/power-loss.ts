/**
 * What a loss of power may leave of a folder, at any moment: every order that a file system may have chosen is tried.
 *
 * The folder is written through `fs`, which notes what is done. What was synced is there. Of the names that were made, renamed and removed
 * since the folder was synced last, the first few may be there and the later ones not, as a journal does it. A file that nobody has synced
 * may be empty, half, zeros of its full length, or whole.
 */
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { realStateFs, type StateFile, type StateFs } from '../../src/agent/store/state-fs.ts'

type Inode = { bytes: Buffer; synced: boolean }

type Change =
  | { readonly kind: 'link'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly name: string }

type Names = ReadonlyMap<string, Inode>

/** Names with the bytes of their files. */
export type Remains = ReadonlyMap<string, Buffer>

const after = (names: Names, changes: readonly Change[]): Map<string, Inode> => {
  const next = new Map(names)
  for (const change of changes) {
    if (change.kind === 'link') next.set(change.name, change.inode)
    else if (change.kind === 'unlink') next.delete(change.name)
    else {
      const inode = next.get(change.from)
      next.delete(change.from)
      if (inode !== undefined) next.set(change.to, inode)
    }
  }
  return next
}

/** What may stand in a file. */
const contents = ({ bytes, synced }: Inode): readonly Buffer[] =>
  synced ? [bytes] : [Buffer.alloc(0), bytes.subarray(0, bytes.length >> 1), Buffer.alloc(bytes.length), bytes]

/** @param onStep after each thing that is done to the disk */
export function makeLossyDisk(directory: string, onStep: () => void) {
  let durable: Names = new Map()
  let pending: Change[] = []
  const note = (change: Change): void => {
    pending = [...pending, change]
    onStep()
  }

  function watched(file: StateFile, inode: Inode): StateFile {
    return {
      stat: () => file.stat(),
      read: (...args) => file.read(...args),
      async write(buffer, offset, length, position) {
        const result = await file.write(buffer, offset, length, position)
        const grown = Buffer.alloc(Math.max(inode.bytes.length, position + result.bytesWritten))
        inode.bytes.copy(grown)
        grown.set(buffer.subarray(offset, offset + result.bytesWritten), position)
        inode.bytes = grown
        inode.synced = false
        onStep()
        return result
      },
      async sync() {
        onStep()
        inode.synced = true
        onStep()
      },
      close: () => file.close(),
    }
  }

  const fs: StateFs = {
    ...realStateFs,
    async open(path, flags, mode) {
      const file = await realStateFs.open(path, flags, mode)
      if (path === directory)
        return {
          ...watched(file, { bytes: Buffer.alloc(0), synced: true }),
          async sync() {
            onStep()
            durable = after(durable, pending)
            pending = []
            onStep()
          },
        }
      if (mode === undefined) return file
      const inode: Inode = { bytes: Buffer.alloc(0), synced: false }
      note({ kind: 'link', name: basename(path), inode })
      return watched(file, inode)
    },
    async rename(from, to) {
      await realStateFs.rename(from, to)
      note({ kind: 'rename', from: basename(from), to: basename(to) })
    },
    async unlink(path) {
      await realStateFs.unlink(path)
      note({ kind: 'unlink', name: basename(path) })
    },
  }

  /** Everything that a loss of power may leave now. */
  function remains(): readonly Remains[] {
    const all = new Map<string, Remains>()
    for (let count = 0; count <= pending.length; count++) {
      let made: readonly Remains[] = [new Map()]
      for (const [name, inode] of after(durable, pending.slice(0, count)))
        made = made.flatMap(before => contents(inode).map(bytes => new Map([...before, [name, bytes]])))
      for (const left of made)
        all.set(JSON.stringify([...left].map(([name, bytes]) => [name, bytes.toString('latin1')])), left)
    }
    return [...all.values()]
  }

  return { fs, remains }
}

export async function putRemains(directory: string, left: Remains): Promise<void> {
  for (const [name, bytes] of left) await writeFile(join(directory, name), bytes, { mode: 0o600 })
}
