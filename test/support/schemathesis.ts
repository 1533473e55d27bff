/** Schemathesis: calls everything that a document of an interface offers, with what it says is good, what is nearly so, and what is not. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const SCHEMATHESIS_VERSION = '4.32.5'

/** Where pip puts it: a folder for Python's path. */
export const SCHEMATHESIS_FOLDER = join(
  import.meta.dirname,
  '..',
  '..',
  'node_modules',
  '.cache',
  'fairlead',
  `schemathesis-${SCHEMATHESIS_VERSION}`,
)

export type SchemathesisResult = { readonly exitCode: number | null; readonly text: string }

/** @param args behind `schemathesis run` */
export function runSchemathesis(args: readonly string[], signal: AbortSignal): Promise<SchemathesisResult> {
  const code = 'from schemathesis.cli import schemathesis; schemathesis()'
  const child = spawn('python3', ['-c', code, 'run', '--no-color', ...args], {
    env: { ...process.env, PYTHONPATH: SCHEMATHESIS_FOLDER, PYTHONDONTWRITEBYTECODE: '1' },
    // Its notes of earlier runs would make the next one another.
    cwd: '/tmp',
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
  return new Promise(resolve => {
    child.once('error', error => resolve({ exitCode: null, text: `${text}${error.message}` }))
    child.once('close', exitCode => resolve({ exitCode, text }))
  })
}
