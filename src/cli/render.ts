/** `fairlead render`: the body that Traefik would get. */
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml'
import { parseVersion } from '../core/capabilities.ts'
import { makeSnapshot } from '../core/payload.ts'
import { defineCommand } from './command.ts'
import { compileStates } from './compile-states.ts'
import { CliError, painter } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { problemText } from './print-problems.ts'
import { readStates, type StateDocument } from './read-states.ts'

const FORMATS = ['body', 'json', 'yaml'] as const
type Format = (typeof FORMATS)[number]

function readFormat(text: string | null): Format {
  const format = FORMATS.find(known => known === (text ?? 'body'))
  if (format === undefined)
    throw new CliError(2, [`--format: ${JSON.stringify(text)} is not one of ${FORMATS.join(', ')}`])
  return format
}

function readVersion(text: string | null): string | null {
  if (text === null || parseVersion(text) !== null) return text
  throw new CliError(2, [`--traefik: ${JSON.stringify(text)} is not a version; write it as 3.7.15`])
}

const LEFT_OUT = 'left out by fairlead render'

/** The keys of certificates belong into no output. */
const withoutKeys = (document: StateDocument): StateDocument => ({
  ...document,
  state: {
    ...document.state,
    certificates: document.state.certificates.map(certificate => ({ ...certificate, certificateKey: LEFT_OUT })),
  },
})

function formatBody(body: string, format: Format): string {
  if (format === 'body') return body.endsWith('\n') ? body : `${body}\n`
  // Large bodies are YAML with merge keys, which people do not want to read.
  const value: unknown = parseYaml(body, { merge: true, maxAliasCount: 0 })
  return format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : stringifyYaml(value, { lineWidth: 0 })
}

export const renderCommand = defineCommand({
  name: 'render',
  usage: 'PATH... [options]',
  about: [
    'Prints the configuration that the agent would hand to Traefik for routes files, directories\nof them, or saved states of a control plane. Routes that are not accepted are left out, as\nthe agent would do, and named on stderr.',
    'It is made for a Traefik that has the entry points of `fairlead static-config` and no\nrouters of other providers. On a node the agent asks Traefik itself, so the two may differ\nthere. Keys of certificates are left out.',
  ],
  options: {
    config: CONFIG_OPTION,
    format: { value: 'FORMAT', help: 'body: byte for byte as Traefik gets it (default); json: indented; yaml' },
    traefik: { value: 'VERSION', help: 'the version to make it for, as 3.3.6 (default: the newest supported)' },
  },
  positionals: { min: 1, max: Number.POSITIVE_INFINITY, name: 'PATH' },
  examples: [
    { what: 'to read', command: 'fairlead render --format yaml /etc/fairlead/routes.d' },
    {
      what: 'what a change of a file changes',
      command: 'diff <(fairlead render --format yaml old.yaml) <(fairlead render --format yaml new.yaml)',
    },
    { what: 'for an older Traefik', command: 'fairlead render --traefik 3.3.6 routes.d' },
  ],
  exitCodes: [
    [0, 'printed, perhaps without some routes'],
    [2, 'a file cannot be read or is not a state; or bad usage'],
  ],
  run: async (args, io) => {
    const format = readFormat(args.text('format'))
    const version = readVersion(args.text('traefik'))
    const { config } = await loadAgentConfig(args.text('config'), io)
    const { documents, faults } = await readStates(args.positionals, io.cwd, config.policy.maxRoutes)
    const options = { config, ownAddresses: io.ownAddresses(), nowMs: io.now(), version }
    const { compiled, problems } = compileStates(documents.map(withoutKeys), options)
    const paint = painter(io.colour.err)
    for (const problem of [...faults, ...problems]) io.err(`${problemText(problem, paint)}\n`)
    if (faults.length > 0) return 2
    io.out(formatBody(makeSnapshot(compiled.config).body, format))
    return 0
  },
})
