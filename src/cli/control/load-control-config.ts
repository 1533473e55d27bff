/** The control plane's settings as its commands get them: `--config`, else FAIRLEAD_CONTROL_CONFIG, else the usual file; and the environment. */
import { dirname, join } from 'node:path'
import { type ControlConfig, parseControlConfig } from '../../control/config.ts'
import type { OptionSpec } from '../args.ts'
import { CliError, type Io } from '../io.ts'
import { findSettings } from '../load-config.ts'

export const DEFAULT_CONTROL_FILE = '/etc/fairlead/control.yaml'

export const CONTROL_CONFIG_OPTION: OptionSpec = {
  value: 'FILE',
  help: `settings of the control plane (default: $FAIRLEAD_CONTROL_CONFIG, else\n${DEFAULT_CONTROL_FILE} if it is there)`,
}

/** Throws a CliError (2) with every fault of bad settings. Things that were passed over are noted on stderr. */
export async function loadControlConfig(named: string | null, io: Io): Promise<ControlConfig> {
  const usual = io.defaultConfigFile === null ? null : join(dirname(io.defaultConfigFile), 'control.yaml')
  const found = await findSettings(named, io, { variable: 'FAIRLEAD_CONTROL_CONFIG', usual })
  const parsed = parseControlConfig({ text: found?.text ?? null, fileName: found?.fileName ?? null, env: io.env })
  if (!parsed.ok) throw new CliError(2, parsed.faults)
  for (const note of parsed.notes) io.err(`note: ${note}\n`)
  return parsed.config
}
