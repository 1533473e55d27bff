/**
 * The user's own file with the control plane that commands ask when nobody says which: `cli.yaml` in the XDG config folder, mode 0600.
 *
 *   url: https://control.example.com
 *   tokenFile: /home/ops/.config/fairlead/token        # or  token: flt_...
 */
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { SecretFileError } from '../../lib/errors.ts'
import { readSecretFile, writeSecretFile } from '../../lib/secret-file.ts'
import type { Environment } from '../../lib/settings.ts'
import { CliError } from '../io.ts'

const wire = z.strictObject({
  url: z.string(),
  token: z.string().optional(),
  tokenFile: z.string().refine(isAbsolute, 'is not an absolute path').optional(),
  madeBy: z.string().optional(),
})

export type CliFile = z.output<typeof wire>

/** `$XDG_CONFIG_HOME/fairlead/cli.yaml`, as a rule `~/.config/fairlead/cli.yaml`. */
export function cliFilePath(env: Environment): string {
  const set = env.XDG_CONFIG_HOME
  // The specification of these folders says that a relative path is to be ignored.
  const base = set !== undefined && isAbsolute(set) ? set : join(env.HOME ?? homedir(), '.config')
  return join(base, 'fairlead', 'cli.yaml')
}

/** Null when there is none. Throws a CliError for one that others can read, or that is something else. Its values are in no message. */
export async function readCliFile(path: string): Promise<CliFile | null> {
  let text: string
  try {
    text = await readSecretFile(path)
  } catch (error) {
    if (!(error instanceof SecretFileError)) throw error
    if (error.code === 'SECRET_FILE_MISSING') return null
    throw new CliError(error.code === 'SECRET_FILE_NOT_PRIVATE' ? 2 : 3, [`${error.message}. ${error.remedy}`], {
      cause: error,
    })
  }
  let raw: unknown
  try {
    raw = parse(text, { prettyErrors: false })
  } catch {
    throw new CliError(2, [`${path}: this is not YAML`])
  }
  const parsed = wire.safeParse(raw)
  if (parsed.success) return parsed.data
  const keys = parsed.error.issues.map(issue => issue.path.join('.') || 'the whole file')
  throw new CliError(2, [`${path}: ${keys.join(', ')}: write url, and token or tokenFile`])
}

const UP = 'fairlead up'

/** Writes the file for `fairlead up`. False: there is one that is somebody's own, and it stays. */
export async function writeCliFile(path: string, { url, tokenFile }: Required<Pick<CliFile, 'url' | 'tokenFile'>>) {
  const found = await readCliFile(path).catch(() => 'unreadable' as const)
  if (found === 'unreadable' || (found !== null && found.madeBy !== UP)) return false
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const head =
    '# Written by `fairlead up`, again at each start. To keep another control plane here, take the line madeBy away.\n'
  await writeSecretFile(path, head + stringify({ url, tokenFile, madeBy: UP }), { replace: true })
  return true
}
