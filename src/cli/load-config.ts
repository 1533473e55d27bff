/** The agent's settings as commands get them: `--config`, else FAIRLEAD_CONFIG, else the usual file when it is there; and the environment. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type AgentConfig, parseAgentConfig } from '../agent/config.ts'
import { errorCode } from '../lib/errors.ts'
import type { OptionSpec } from './args.ts'
import { CliError, type Io } from './io.ts'

export const DEFAULT_CONFIG_FILE = '/etc/fairlead/agent.yaml'

export const CONFIG_OPTION: OptionSpec = {
  value: 'FILE',
  help: `settings of the agent (default: $FAIRLEAD_CONFIG, else\n${DEFAULT_CONFIG_FILE} if it is there)`,
}

async function readSettings(path: string, variable: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = errorCode(error)
    const way =
      code === 'EACCES' ? 'run this as a user who may read it, or name another file' : `correct --config or ${variable}`
    throw new CliError(2, [`the settings ${path} cannot be read (${code ?? 'unknown error'}); ${way}`], {
      cause: error,
    })
  }
}

/** Where settings are when `--config` does not say: in the file that the variable names, else in the usual one if that is there. */
export type SettingsPlaces = { readonly variable: string; readonly usual: string | null }

export async function findSettings(
  named: string | null,
  io: Pick<Io, 'env' | 'cwd'>,
  { variable, usual }: SettingsPlaces,
): Promise<{ readonly text: string; readonly fileName: string } | null> {
  const path = named ?? (io.env[variable]?.trim() || null)
  if (path !== null) return { text: await readSettings(resolve(io.cwd, path), variable), fileName: path }
  if (usual === null) return null
  try {
    return { text: await readFile(usual, 'utf8'), fileName: usual }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    return { text: await readSettings(usual, variable), fileName: usual }
  }
}

export type LoadedConfig = {
  readonly config: AgentConfig
  /** The file as it was named, or null when there is none. */
  readonly fileName: string | null
}

/** Throws a CliError (2) with every fault of bad settings. Things that were passed over are noted on stderr. */
export async function loadAgentConfig(named: string | null, io: Io): Promise<LoadedConfig> {
  const found = await findSettings(named, io, { variable: 'FAIRLEAD_CONFIG', usual: io.defaultConfigFile })
  const parsed = parseAgentConfig({ text: found?.text ?? null, fileName: found?.fileName ?? null, env: io.env })
  if (!parsed.ok) throw new CliError(2, parsed.faults)
  for (const note of parsed.notes) io.err(`note: ${note}\n`)
  return { config: parsed.config, fileName: found?.fileName ?? null }
}
