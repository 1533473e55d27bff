/**
 * A process that saves, for tests that kill it or take its disk away. What it does is its first argument, the state directory its second;
 * it tells what happened in JSON lines.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { createSnapshotStore, type Failpoint } from '../../src/agent/store/snapshot-store.ts'

export type ChildState = { readonly revision: number; readonly body: string }

const [action = '', directory = '', argument = ''] = process.argv.slice(2)
const tell = (fact: unknown): void => void writeSync(1, `${JSON.stringify(fact)}\n`)
const open = (failpoint: (name: Failpoint) => void = () => {}) =>
  createSnapshotStore<ChildState>({ directory, format: 1, logger: pino({ level: 'silent' }), failpoint })
const stateOf = (revision: number, bytes = 4096): ChildState => ({ revision, body: 'x'.repeat(bytes) })

/** Saves revision 1, then 2, and dies in the middle of the second. */
async function dieAt(wanted: string): Promise<void> {
  let armed = false
  const store = open(name => {
    if (armed && name === wanted) process.kill(process.pid, 'SIGKILL')
  })
  await store.open()
  tell(await store.save(stateOf(1)).safe)
  armed = true
  tell(await store.save(stateOf(2)).safe)
}

/** Saves one revision after the other until it is killed, and tells each that is placed, whether the disk has it for good or not. */
async function saveForEver(): Promise<void> {
  const store = open()
  const saved = await store.open()
  tell({ found: saved?.state.revision ?? 0 })
  for (let revision = (saved?.state.revision ?? 0) + 1; ; revision++) {
    await store.save(stateOf(revision, 20_000)).placed
    const { fault } = store.status()
    tell(fault ?? { placed: revision })
  }
}

const code = (result: { readonly ok: boolean; readonly code?: string }): string =>
  result.ok ? 'ok' : (result.code ?? '?')

/** A new agent on the same folder: what it finds. */
async function reopened() {
  const store = open()
  const saved = await store.open()
  const found = { revision: saved?.state.revision ?? null, fault: store.status().fault?.code ?? null }
  await store.close()
  return found
}

/** Something else takes the rest of the disk: its pages, or with few bytes just its last inode. */
async function fullDisk(fillerBytes: number): Promise<void> {
  const filler = join(directory, 'filler')
  const store = open()
  await store.open()
  tell({ step: 'room', result: code(await store.save(stateOf(1)).safe) })
  tell({
    step: 'too much',
    result: code(await store.save(stateOf(2, 100_000)).safe),
    files: readdirSync(directory).sort(),
  })
  try {
    writeFileSync(filler, Buffer.alloc(fillerBytes))
  } catch {
    // More bytes than there is room for: it is full to the last page.
  }
  tell({ step: 'full', result: code(await store.save(stateOf(3)).safe), fault: store.status().fault?.code ?? null })
  await store.close()
  tell({ step: 'reopened', ...(await reopened()) })
  const again = open()
  await again.open()
  tell({ step: 'still full', result: code(await again.save(stateOf(4)).safe) })
  rmSync(filler)
  tell({ step: 'freed', result: code(await again.save(stateOf(4)).safe), fault: again.status().fault?.code ?? null })
  await again.close()
  tell({ step: 'reopened', ...(await reopened()) })
}

async function readOnlyDisk(): Promise<void> {
  const remount = (mode: string): void => void execFileSync('mount', ['-o', `remount,${mode}`, directory])
  const store = open()
  await store.open()
  tell({ step: 'room', result: code(await store.save(stateOf(1)).safe) })
  remount('ro')
  tell({
    step: 'read-only',
    result: code(await store.save(stateOf(2)).safe),
    fault: store.status().fault?.code ?? null,
  })
  await store.close()
  tell({ step: 'reopened', ...(await reopened()) })
  const again = open()
  await again.open()
  remount('rw')
  tell({ step: 'writable', result: code(await again.save(stateOf(2)).safe), fault: again.status().fault?.code ?? null })
  await again.close()
  tell({ step: 'reopened', ...(await reopened()) })
}

switch (action) {
  case 'die-at':
    await dieAt(argument)
    break
  case 'save-for-ever':
    await saveForEver()
    break
  case 'full-disk':
    await fullDisk(Number(argument))
    break
  case 'read-only-disk':
    await readOnlyDisk()
    break
  default:
    throw new Error(`unknown action ${action}`)
}
