import type { Io } from '../../src/cli/io.ts'
import { main } from '../../src/cli/main.ts'

export type CliResult = { readonly code: number; readonly out: string; readonly err: string }

/** Runs one command of the program within this process: with an empty environment, without colours, as of 2026-11-23. */
export async function runCli(argv: readonly string[], change: Partial<Io> = {}): Promise<CliResult> {
  let out = ''
  let err = ''
  const code = await main(argv, {
    out: text => {
      out += text
    },
    err: text => {
      err += text
    },
    colour: { out: false, err: false },
    env: {},
    cwd: '/',
    defaultConfigFile: null,
    ownAddresses: () => [],
    now: () => Date.parse('2026-11-23T00:00:00Z'),
    ...change,
  })
  return { code, out, err }
}
