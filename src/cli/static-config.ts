/** `fairlead static-config`: Traefik's static configuration, or the systemd socket units that go with it. */
import { mkdir, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { AgentConfig } from '../agent/config.ts'
import { type PortSet, parsePortSet } from '../core/port-set.ts'
import {
  ACME_RESOLVER,
  type AcmeInput,
  type EntryAddress,
  STATIC_DEFAULTS,
  type StaticConfigInput,
  socketUnits,
  staticConfig,
  staticConfigFaults,
} from '../core/static-config.ts'
import { errorCode, SecretFileError } from '../lib/errors.ts'
import { readSecretFile, writeSecretFile } from '../lib/secret-file.ts'
import { formatDuration, isLoopback, readDuration } from '../lib/setting-types.ts'
import type { Args } from './args.ts'
import { defineCommand } from './command.ts'
import { CliError, type Io } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'

const OPTIONS = {
  config: CONFIG_OPTION,
  tcp: { value: 'PORTS', help: 'TCP ports to declare, as 10000-10099,5432\n(default: ports.tcp of the settings)' },
  udp: { value: 'PORTS', help: 'UDP ports to declare (default: ports.udp of the settings)' },
  'udp-timeout': {
    value: 'TIME',
    help: 'how long a UDP session may be silent, as 30s\n(default: 3s, as Traefik has it)',
  },
  'acme-email': {
    value: 'ADDRESS',
    help: `get certificates from Let's Encrypt: the resolver\n${ACME_RESOLVER}, with this address`,
  },
  'acme-storage': { value: 'FILE', help: 'where Traefik keeps them: an absolute path that it\ncan write' },
  'acme-staging': { value: null, help: "use Let's Encrypt's test servers" },
  'provider-token-file': {
    value: 'FILE',
    help: 'token of the provider endpoint (default:\nprovider.tokenFile of the settings); needs --out',
  },
  sockets: {
    value: null,
    help: 'systemd socket units instead: one for each port, so\nthat Traefik can restart without refusing clients',
  },
  out: { value: 'FILE', help: 'write there instead of to stdout; with --sockets a\ndirectory' },
} as const

type Options = Args<keyof typeof OPTIONS>

function portsOption(args: Options, name: 'tcp' | 'udp', fromSettings: PortSet): PortSet {
  const text = args.text(name)
  if (text === null) return fromSettings
  const parsed = parsePortSet(text)
  if (!parsed.ok)
    throw new CliError(
      2,
      parsed.faults.map(fault => `--${name}: ${fault}`),
    )
  return parsed.ports
}

function acmeOptions(args: Options): AcmeInput | null {
  const email = args.text('acme-email')
  const storage = args.text('acme-storage')
  const staging = args.flag('acme-staging')
  if (email === null && storage === null && !staging) return null
  const faults: string[] = []
  if (email === null) faults.push('--acme-email is missing; the certificate authority wants an address')
  else if (!/^[^\s@"\\]+@[^\s@"\\]+\.[^\s@"\\]+$/.test(email))
    faults.push(`--acme-email: ${JSON.stringify(email)} is not an e-mail address`)
  if (storage === null) faults.push('--acme-storage is missing; name a file such as /var/lib/traefik/acme.json')
  else if (!storage.startsWith('/'))
    faults.push(`--acme-storage: ${JSON.stringify(storage)} is not an absolute path; begin it with /`)
  if (email === null || storage === null || faults.length > 0) throw new CliError(2, faults)
  return { email, storage, staging }
}

function udpTimeout(args: Options): number | null {
  const text = args.text('udp-timeout')
  if (text === null) return null
  const read = readDuration({ minMs: 1000, maxMs: 3_600_000 })(text)
  if (!read.ok)
    throw new CliError(
      2,
      read.faults.map(fault => `--udp-timeout: ${fault}`),
    )
  return read.value
}

/** The token that Traefik sends. A secret goes into a file that only its owner can read, never to stdout. */
async function readToken(args: Options, config: AgentConfig, io: Io): Promise<string | null> {
  const path = args.text('provider-token-file') ?? config.provider.tokenFile
  if (path === null || args.flag('sockets')) return null
  if (args.text('out') === null)
    throw new CliError(2, [
      `the token in ${path} does not belong on stdout; name a file: --out /etc/traefik/traefik.yaml`,
    ])
  try {
    const token = (await readSecretFile(resolve(io.cwd, path))).trim()
    if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token
    throw new CliError(2, [`${path}: the token is empty, or holds blanks or signs other than ASCII; make a new one`])
  } catch (error) {
    if (!(error instanceof SecretFileError)) throw error
    throw new CliError(error.code === 'SECRET_FILE_MISSING' ? 3 : 2, [`${error.message}; ${error.remedy}`], {
      cause: error,
    })
  }
}

/** Where the settings look for the API, when that is an address of this machine: there the entry point must be. */
function apiAddress({ traefik }: AgentConfig): EntryAddress {
  if (traefik.api === null) return STATIC_DEFAULTS.traefik
  const url = new URL(traefik.api)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (url.protocol !== 'http:' || !isLoopback(host)) return STATIC_DEFAULTS.traefik
  return { host, port: url.port === '' ? 80 : Number(url.port) }
}

/** The shortest command that makes the same file, whatever the settings were. */
function madeBy(args: Options, input: StaticConfigInput): string {
  const quote = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
  const options = [
    ...(args.text('config') === null ? [] : ['--config', quote(args.text('config') ?? '')]),
    '--tcp',
    input.tcpPorts.text,
    '--udp',
    input.udpPorts.text,
    ...(input.udpTimeoutMs === null ? [] : ['--udp-timeout', formatDuration(input.udpTimeoutMs)]),
    ...(input.acme === null
      ? []
      : ['--acme-email', quote(input.acme.email), '--acme-storage', quote(input.acme.storage)]),
    ...(input.acme?.staging === true ? ['--acme-staging'] : []),
    ...(args.text('provider-token-file') === null
      ? []
      : ['--provider-token-file', quote(args.text('provider-token-file') ?? '')]),
    ...(args.flag('sockets') ? ['--sockets'] : []),
    ...(args.text('out') === null ? [] : ['--out', quote(args.text('out') ?? '')]),
  ]
  return `fairlead static-config ${options.join(' ')}`
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}.fairlead.tmp`)
  try {
    await writeFile(temporary, text, { mode: 0o644, flush: true })
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw new CliError(3, [`${path} cannot be written (${errorCode(error) ?? 'unknown error'})`], { cause: error })
  }
}

async function writeStaticConfig(input: StaticConfigInput, out: string | null, io: Io): Promise<void> {
  const text = staticConfig(input)
  if (out === null) io.out(text)
  else if (input.token === null) await writeWhole(resolve(io.cwd, out), text)
  else {
    try {
      await writeSecretFile(resolve(io.cwd, out), text, { replace: true })
    } catch (error) {
      if (!(error instanceof SecretFileError)) throw error
      throw new CliError(3, [`${error.message}; ${error.remedy}`], { cause: error })
    }
  }
}

async function writeSocketUnits(input: StaticConfigInput, out: string | null, io: Io): Promise<void> {
  const units = socketUnits(input)
  if (out === null) {
    io.out(units.map(({ fileName, text }) => `# /etc/systemd/system/${fileName}\n${text}`).join('\n'))
    return
  }
  const directory = resolve(io.cwd, out)
  await mkdir(directory, { recursive: true }).catch(() => {})
  const found = await stat(directory).catch(() => null)
  if (found === null || !found.isDirectory())
    throw new CliError(3, [`${out} is not a directory, and none can be made there`])
  for (const { fileName, text } of units) await writeWhole(join(directory, fileName), text)
  io.err(
    `${units.length} units in ${out}; then: systemctl daemon-reload && (cd ${out} && systemctl enable --now fairlead-*.socket)\n`,
  )
}

function notes(args: Options, config: AgentConfig, input: StaticConfigInput): string[] {
  const made = ['web', 'websecure', 'traefik']
  const wanted = [...config.http.entryPoints, ...(config.http.redirectFrom === null ? [] : [config.http.redirectFrom])]
  const missing = wanted.filter(name => !made.includes(name))
  return [
    ...(missing.length === 0
      ? []
      : [`the settings name the entry point ${missing.join(', ')} for HTTP; it is not made here`]),
    ...(input.acme !== null && config.http.certResolver !== ACME_RESOLVER
      ? [`set http.certResolver: ${ACME_RESOLVER} in the agent's settings, or no route gets a certificate`]
      : []),
    ...(args.flag('sockets') && args.text('out') === null ? ['give --out DIRECTORY to have them as files'] : []),
  ]
}

export const staticConfigCommand = defineCommand({
  name: 'static-config',
  usage: '[options]',
  about: [
    "Makes Traefik's static configuration for a node: the entry points web, websecure and\ntraefik (API and metrics, on loopback), one for each port of the pools, and the agent as\nHTTP provider. It fits Traefik 3.3 and newer. Traefik opens its ports when it starts and at\nno other time: restart it after a change.",
    'Addresses and ports come from the settings of the agent, and options override them. The\nsame ports and options give the same bytes.',
  ],
  options: OPTIONS,
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    { what: 'the two usual pools of a hundred ports', command: 'fairlead static-config > /etc/traefik/traefik.yaml' },
    { what: 'a few ports by number, and no UDP', command: 'fairlead static-config --tcp 10000-10009,5432 --udp none' },
    {
      what: "with certificates from Let's Encrypt",
      command: 'fairlead static-config --acme-email ops@example.com --acme-storage /var/lib/traefik/acme.json',
    },
    {
      what: 'with a token between Traefik and the agent',
      command:
        'fairlead static-config --provider-token-file /etc/fairlead/provider-token --out /etc/traefik/traefik.yaml',
    },
    { what: 'socket units for systemd', command: 'fairlead static-config --sockets --out /etc/systemd/system' },
  ],
  exitCodes: [
    [0, 'written'],
    [2, 'an option or a setting is wrong'],
    [3, 'a file is missing or cannot be written'],
  ],
  run: async (args, io) => {
    const { config } = await loadAgentConfig(args.text('config'), io)
    const input: StaticConfigInput = {
      ...STATIC_DEFAULTS,
      tcpPorts: portsOption(args, 'tcp', config.ports.tcp),
      udpPorts: portsOption(args, 'udp', config.ports.udp),
      traefik: apiAddress(config),
      provider: config.provider.listen,
      acme: acmeOptions(args),
      udpTimeoutMs: udpTimeout(args),
    }
    const adminPort = config.admin.listen.port
    const faults = [
      ...staticConfigFaults(input),
      ...(input.tcpPorts.has(adminPort)
        ? [`port ${adminPort} is the agent's admin endpoint and cannot be the entry point tcp-${adminPort} as well`]
        : []),
    ]
    if (faults.length > 0) throw new CliError(2, faults)
    const token = await readToken(args, config, io)
    const complete = { ...input, token, madeBy: madeBy(args, input) }
    await (args.flag('sockets') ? writeSocketUnits : writeStaticConfig)(complete, args.text('out'), io)
    for (const note of notes(args, config, input)) io.err(`note: ${note}\n`)
    return 0
  },
})
