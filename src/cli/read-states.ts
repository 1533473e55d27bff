/** Files and directories of routes: each document is a state, or not one, with a problem that says why. Directories are read as the agent does. */
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type FolderEntry, lookAt, readBytes, readFolder } from '../agent/sources/files-read.ts'
import { type ParsedState, parseExpectedState, parseRoutesFile } from '../core/expected-state.ts'
import type { Problem } from '../core/problem.ts'
import { isRecord } from '../core/refusal.ts'
import { decodeUtf8, fileProblem, MAX_DOCUMENT_BYTES, parseDocumentText } from '../core/yaml-document.ts'
import { errorCode } from '../lib/errors.ts'
import { type EntryPlaces, entryPlaces } from './entry-places.ts'

export type StateDocument = {
  /** As the user named it, or within the directory that the user named. */
  readonly fileName: string
  /** `routes`: the three lists at the top level. `state`: what a control plane sends, with the lists under `traefik`. */
  readonly kind: 'routes' | 'state'
  readonly state: ParsedState
  /** Of the bad entries that have no id. */
  readonly places: EntryPlaces
}

export type ReadStates = {
  readonly documents: readonly StateDocument[]
  /** One for each file or directory that gives no state. */
  readonly faults: readonly Problem[]
}

type Bytes = { readonly fileName: string; readonly bytes: Uint8Array }
type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem }

const fault = (fileName: string, { message, remedy }: { readonly message: string; readonly remedy: string }) =>
  ({ ok: false, problem: fileProblem(fileName, message, remedy) }) as const

function unreadable(fileName: string, error: unknown): Read<never> {
  const code = errorCode(error) ?? 'unknown error'
  if (code === 'ENOENT')
    return fault(fileName, { message: 'there is no such file or directory', remedy: 'Correct the path.' })
  return fault(fileName, { message: `it cannot be read (${code})`, remedy: 'Make it readable for this user.' })
}

/** A file that was named: whatever can be read, a pipe too. */
async function readNamed(fileName: string, path: string, size: number): Promise<Read<Bytes>> {
  const remedy = 'Spread the routes over several files.'
  if (size > MAX_DOCUMENT_BYTES)
    return fault(fileName, {
      message: `the file has ${size} bytes, more than the ${MAX_DOCUMENT_BYTES} that are read`,
      remedy,
    })
  try {
    return { ok: true, value: { fileName, bytes: await readFile(path) } }
  } catch (error) {
    return unreadable(fileName, error)
  }
}

async function readFolderFiles(directory: string, path: string): Promise<Read<Bytes>[]> {
  const folder = await readFolder(path)
  if ('code' in folder) return [fault(directory, folder)]
  if (folder.entries.length === 0) {
    const remedy = 'Name the directory that holds the routes.'
    return [fault(directory, { message: 'the directory holds no file *.yaml, *.yml or *.json', remedy })]
  }
  const readEntry = async (entry: FolderEntry): Promise<Read<Bytes>[]> => {
    const fileName = join(directory, entry.name)
    const looked = await lookAt(path, folder, entry)
    if (looked.kind === 'gone') return []
    if (looked.kind === 'refused') return [fault(fileName, looked.refusal)]
    const read = await readBytes(folder, looked.sight)
    switch (read.kind) {
      case 'read':
        return [{ ok: true, value: { fileName, bytes: read.bytes } }]
      case 'refused':
        return [fault(fileName, read.refusal)]
      case 'moving':
        return [fault(fileName, { message: 'it is being written to', remedy: 'Try again.' })]
      default:
        return read satisfies never
    }
  }
  const reads: Read<Bytes>[] = []
  for (const entry of folder.entries) reads.push(...(await readEntry(entry)))
  return reads
}

async function readPath(path: string, cwd: string): Promise<Read<Bytes>[]> {
  const absolute = resolve(cwd, path)
  try {
    const info = await stat(absolute)
    return info.isDirectory() ? await readFolderFiles(path, absolute) : [await readNamed(path, absolute, info.size)]
  } catch (error) {
    return [unreadable(path, error)]
  }
}

function parseDocument({ fileName, bytes }: Bytes, maxRoutes: number): Read<StateDocument> {
  const decoded = decodeUtf8(bytes, { fileName })
  if (!decoded.ok) return decoded
  const parsed = parseDocumentText(decoded.text, { fileName })
  if (!parsed.ok) return parsed
  const kind = isRecord(parsed.value) && Object.hasOwn(parsed.value, 'traefik') ? 'state' : 'routes'
  const parse = kind === 'state' ? parseExpectedState : parseRoutesFile
  const result = parse(parsed.value, { origin: fileName, maxRoutes })
  if (!result.ok) return result
  const isState = kind === 'state' && isRecord(parsed.value)
  const places = entryPlaces(isState ? parsed.value.traefik : parsed.value, isState ? 'traefik.' : '', fileName)
  return { ok: true, value: { fileName, kind, state: result.state, places } }
}

/** Every file once, in the order of its first mention; the files of a directory by name. Never throws for what is on the disk. */
export async function readStates(paths: readonly string[], cwd: string, maxRoutes: number): Promise<ReadStates> {
  const documents: StateDocument[] = []
  const faults: Problem[] = []
  const seen = new Set<string>()
  for (const path of paths) {
    for (const read of await readPath(path, cwd)) {
      if (!read.ok) {
        faults.push(read.problem)
        continue
      }
      const absolute = resolve(cwd, read.value.fileName)
      if (seen.has(absolute)) continue
      seen.add(absolute)
      const document = parseDocument(read.value, maxRoutes)
      if (document.ok) documents.push(document.value)
      else faults.push(document.problem)
    }
  }
  return { documents, faults }
}
