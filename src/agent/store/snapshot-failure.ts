/** Why a state could not be saved, in the words of the logs, the status and the metrics. */
import { type StateDirectoryCode, StateDirectoryError } from './state-directory.ts'
import { errorCode } from './state-fs.ts'

export type SaveFailureCode =
  | StateDirectoryCode
  | 'SNAPSHOT_DISK_FULL'
  | 'SNAPSHOT_NOT_WRITABLE'
  | 'SNAPSHOT_OUT_OF_FILES'
  | 'SNAPSHOT_IO_ERROR'
  | 'SNAPSHOT_TOO_LARGE'
  | 'SNAPSHOT_NOT_ENCODABLE'
  | 'SNAPSHOT_STORE_CLOSED'

export type SaveFailure = {
  readonly ok: false
  readonly code: SaveFailureCode
  /** One sentence that names the path and the system's own code. */
  readonly message: string
  readonly remedy: string
}

type Cause = { readonly code: SaveFailureCode; readonly remedy: string }

const AFTERWARDS = 'Routes go on being served from memory; a restart would come up with the last saved state.'

const DISK_FULL: Cause = { code: 'SNAPSHOT_DISK_FULL', remedy: 'Free space, inodes or quota on its file system.' }
const NOT_WRITABLE: Cause = {
  code: 'SNAPSHOT_NOT_WRITABLE',
  remedy: 'Mount its file system for writing, and look at the owner and mode of the directory.',
}
const OUT_OF_FILES: Cause = { code: 'SNAPSHOT_OUT_OF_FILES', remedy: 'Raise the limit of open files (LimitNOFILE).' }
const IO_ERROR: Cause = { code: 'SNAPSHOT_IO_ERROR', remedy: 'Look for disk errors in the log of the kernel.' }

const CAUSES: ReadonlyMap<string | null, Cause> = new Map([
  ['ENOSPC', DISK_FULL],
  ['EDQUOT', DISK_FULL],
  ['EFBIG', DISK_FULL],
  ['EROFS', NOT_WRITABLE],
  ['EACCES', NOT_WRITABLE],
  ['EPERM', NOT_WRITABLE],
  ['EISDIR', NOT_WRITABLE],
  ['EMFILE', OUT_OF_FILES],
  ['ENFILE', OUT_OF_FILES],
])

/** `doing` is what was tried, as a verb phrase: `rename snapshot.tmp`. */
export function failureOf(error: unknown, directory: string, doing: string): SaveFailure {
  if (error instanceof StateDirectoryError)
    return { ok: false, code: error.code, message: error.message, remedy: `${error.remedy} ${AFTERWARDS}` }
  const system = errorCode(error)
  const { code, remedy } = CAUSES.get(system) ?? IO_ERROR
  return {
    ok: false,
    code,
    message: `state directory ${directory}: cannot ${doing} (${system ?? 'an unknown error'})`,
    remedy: `${remedy} ${AFTERWARDS}`,
  }
}

export const tooLarge = (bytes: number, maxBytes: number): SaveFailure => ({
  ok: false,
  code: 'SNAPSHOT_TOO_LARGE',
  message: `the state has ${bytes} bytes, more than the ${maxBytes} that would be read again`,
  remedy: `Give the node fewer routes (policy.maxRoutes). ${AFTERWARDS}`,
})

export const notEncodable = (error: unknown): SaveFailure => ({
  ok: false,
  code: 'SNAPSHOT_NOT_ENCODABLE',
  message: `the state cannot be written as JSON: ${error instanceof Error ? error.message : 'it has no value'}`,
  remedy: `This is a fault of the agent; report it. ${AFTERWARDS}`,
})

export const notOpen: SaveFailure = {
  ok: false,
  code: 'SNAPSHOT_STORE_CLOSED',
  message: 'the snapshot store is not open',
  remedy: 'Nothing to do: the agent is starting or stopping.',
}
