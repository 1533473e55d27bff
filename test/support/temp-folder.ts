import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd } from './at-end.ts'

/** A new empty folder (0700) that is removed at the end of the test or file. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-test-'))
  atEnd(() => rm(folder, { recursive: true, force: true }))
  return folder
}
