/** Traefik's static file as `fairlead doctor` judges it. It is somebody else's file: whatever it does not say, or says otherwise, is null. */
import { readFile, stat } from 'node:fs/promises'
import { parse as parseYaml } from 'yaml'
import { parseHold } from '../agent/provider/hold.ts'
import type { StaticFacts } from '../core/doctor/facts.ts'
import { isRecord } from '../core/refusal.ts'
import { errorCode } from '../lib/errors.ts'
import { CliError } from './io.ts'

const MAX_BYTES = 16 * 1024 * 1024

/** Traefik takes its keys in any case. */
function member(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (!isRecord(found)) return undefined
    const key = Object.keys(found).find(one => one.toLowerCase() === name.toLowerCase())
    found = key === undefined ? undefined : found[key]
  }
  return found
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** `100ms`, `1m30s`, or a bare number of seconds, in milliseconds; null for anything else. */
export function parseGoDuration(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value * 1_000 : null
  if (typeof value !== 'string') return null
  if (/^\d+$/.test(value)) return Number(value) * 1_000
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(value)) return null
  let ms = 0
  for (const [, count = '', unit = ''] of value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    ms += Number(count) * (UNIT_MS[unit] ?? 0)
  return ms
}

function holdOf(endpoint: string): number | null {
  const hold = URL.canParse(endpoint) ? new URL(endpoint).searchParams.get('hold') : null
  return hold === null ? null : parseHold(hold)
}

/** @param token of the agent; null: it wants none, or it cannot be read here */
function providerOf(root: unknown, token: string | null): StaticFacts['provider'] {
  const http = member(root, 'providers', 'http')
  if (!isRecord(http)) return null
  const endpoint = text(member(http, 'endpoint'))
  const header = text(member(http, 'headers', 'authorization'))
  return {
    endpoint,
    holdMs: holdOf(endpoint),
    pollIntervalMs: parseGoDuration(member(http, 'pollInterval')),
    pollTimeoutMs: parseGoDuration(member(http, 'pollTimeout')),
    sendsToken: header !== '',
    tokenMatches: token === null || header === '' ? null : header === `Bearer ${token}`,
  }
}

function entryPointsOf(root: unknown): StaticFacts['entryPoints'] {
  const found = member(root, 'entryPoints')
  if (!isRecord(found)) return []
  return Object.entries(found).map(([name, value]) => ({
    name,
    address: text(member(value, 'address')),
    asDefault: member(value, 'asDefault') === true,
  }))
}

/** The facts of a file's text, or why Traefik would not take it as YAML. Total. */
export function parseStaticFile(
  source: string,
  file: { readonly path: string; readonly mode: number },
  token: string | null,
): StaticFacts | { readonly path: string; readonly fault: string } {
  let root: unknown
  try {
    root = parseYaml(source, { merge: true, maxAliasCount: 100, logLevel: 'error' })
  } catch (error) {
    // The first line alone: what follows repeats the text, and with it perhaps the token.
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { path: file.path, fault: line.replace(/:$/, '') }
  }
  if (!isRecord(root)) return { path: file.path, fault: 'it is not a map of settings' }
  const api = member(root, 'api')
  return {
    ...file,
    entryPoints: entryPointsOf(root),
    throttleMs: parseGoDuration(member(root, 'providers', 'providersThrottleDuration')),
    provider: providerOf(root, token),
    api: isRecord(api) ? { insecure: member(api, 'insecure') === true } : null,
  }
}

/** Throws a CliError (2) when there is no such file: it was named on the command line. */
export async function readStaticFile(
  path: string,
  shown: string,
  token: string | null,
): Promise<StaticFacts | { readonly path: string; readonly fault: string }> {
  if (/\.toml$/i.test(shown))
    throw new CliError(2, [`--static: ${shown} is TOML, and only YAML is read here; fairlead static-config makes YAML`])
  try {
    const { mode, size } = await stat(path)
    if (size > MAX_BYTES) return { path: shown, fault: `it has ${size} bytes` }
    return parseStaticFile(await readFile(path, 'utf8'), { path: shown, mode: mode & 0o7777 }, token)
  } catch (error) {
    throw new CliError(2, [`--static: ${shown} cannot be read (${errorCode(error) ?? 'unknown error'})`], {
      cause: error,
    })
  }
}
