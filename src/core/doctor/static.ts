/** Traefik's static file, when one is named: whether it leads to this agent, and at the pace that it was made for. */

import { entryPointsFor, parseEntryPointAddress } from '../entry-points.ts'
import type { ObservedEntryPoint } from '../observed.ts'
import { makePortSet } from '../port-set.ts'
import { type DoctorFacts, type Finding, fault, ok, type StaticFacts, warn } from './facts.ts'
import { modeText, quoted } from './host.ts'
import { hostOf, isLoopbackHost } from './traefik.ts'

// What Traefik does when the file does not say.
const DEFAULT_POLL_INTERVAL_MS = 5_000
const DEFAULT_POLL_TIMEOUT_MS = 5_000
const DEFAULT_THROTTLE_MS = 2_000
const SLOW_INTERVAL_MS = 1_000
const SLOW_THROTTLE_MS = 500
const OTHERS_MAY_READ = 0o077

const seconds = (ms: number): string => `${ms / 1000} s`
const restart = 'and restart Traefik'

type Provider = NonNullable<StaticFacts['provider']>
type Settings = DoctorFacts['settings']

const listenText = ({ host, port }: Settings['provider']): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

function endpointFindings({ endpoint, holdMs }: Provider, { provider }: Settings): Finding[] {
  const wanted = `http://${listenText(provider)}/traefik?hold=25s`
  const lines = `Write, ${restart}:\n  providers:\n    http:\n      endpoint: "${wanted}"`
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  const host = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? ''
  const sameHost = host === provider.host || (host === 'localhost' && isLoopbackHost(provider.host))
  const port = url === null ? Number.NaN : url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  if (url === null || url.protocol !== 'http:' || !sameHost || port !== provider.port || url.pathname !== '/traefik')
    return [
      fault(
        'STATIC_ENDPOINT_WRONG',
        `providers.http.endpoint is ${JSON.stringify(endpoint)}, and the agent listens on ${listenText(provider)} at /traefik`,
        lines,
      ),
    ]
  if (holdMs === null)
    return [
      warn(
        'STATIC_NO_HOLD',
        'providers.http.endpoint asks for no hold, so every change waits for the next poll',
        lines,
      ),
    ]
  return [ok('STATIC_ENDPOINT', `providers.http.endpoint is this agent, with a hold of ${seconds(holdMs)}`)]
}

function paceFindings({ holdMs, pollIntervalMs, pollTimeoutMs }: Provider, throttleMs: number | null): Finding[] {
  const timeout = pollTimeoutMs ?? DEFAULT_POLL_TIMEOUT_MS
  const interval = pollIntervalMs ?? DEFAULT_POLL_INTERVAL_MS
  const throttle = throttleMs ?? DEFAULT_THROTTLE_MS
  const byDefault = (value: number | null): string => (value === null ? ', by default' : '')
  return [
    ...(holdMs !== null && timeout <= holdMs
      ? [
          warn(
            'STATIC_POLL_TIMEOUT',
            `providers.http.pollTimeout is ${seconds(timeout)}${byDefault(pollTimeoutMs)}, not longer than the hold of ${seconds(holdMs)}: each poll ends as a fault`,
            `Write, ${restart}:\n  providers:\n    http:\n      pollTimeout: 40s`,
          ),
        ]
      : []),
    ...(interval > SLOW_INTERVAL_MS
      ? [
          warn(
            'STATIC_POLL_INTERVAL',
            `providers.http.pollInterval is ${seconds(interval)}${byDefault(pollIntervalMs)}, and a change may wait that long`,
            `Write, ${restart}:\n  providers:\n    http:\n      pollInterval: 100ms`,
          ),
        ]
      : []),
    ...(throttle > SLOW_THROTTLE_MS
      ? [
          warn(
            'STATIC_THROTTLE',
            `providers.providersThrottleDuration is ${seconds(throttle)}${byDefault(throttleMs)}, and a change may wait that long`,
            `Write, ${restart}:\n  providers:\n    providersThrottleDuration: 100ms`,
          ),
        ]
      : []),
  ]
}

function tokenFindings(
  { sendsToken, tokenMatches }: Provider,
  { path, mode }: StaticFacts,
  wantsToken: boolean,
): Finding[] {
  const again = `fairlead static-config --provider-token-file FILE --out ${quoted(path)} writes it, ${restart}.`
  const found: Finding[] = []
  if (wantsToken && !sendsToken)
    found.push(
      fault(
        'STATIC_TOKEN_MISSING',
        'the agent wants a token (provider.tokenFile), and the static file sends none',
        again,
      ),
    )
  if (wantsToken && sendsToken && tokenMatches === false)
    found.push(
      fault('STATIC_TOKEN_WRONG', 'the token in the static file is another than that of provider.tokenFile', again),
    )
  if (sendsToken && (mode & OTHERS_MAY_READ) !== 0)
    found.push(
      warn(
        'STATIC_FILE_OPEN',
        `${path} holds the token and has mode ${modeText(mode)}, so others can read it`,
        `chmod 0600 ${quoted(path)}, and make a new token if others may have read it.`,
      ),
    )
  return found
}

function defaultFindings({ entryPoints }: StaticFacts, { ports }: Settings): Finding[] {
  const isPool = (address: string): boolean => {
    const parsed = parseEntryPointAddress(address)
    return parsed !== null && ports[parsed.protocol].has(parsed.port)
  }
  const chosen = entryPoints.filter(({ asDefault }) => asDefault)
  const pool = chosen.filter(({ address }) => isPool(address))
  const others = entryPoints.filter(
    ({ name, address }) =>
      name !== 'traefik' && !isPool(address) && parseEntryPointAddress(address)?.protocol === 'tcp',
  )
  const names = others.length === 0 ? 'web and websecure' : others.map(({ name }) => name).join(' and ')
  const remedy = `Give ${names} asDefault: true and no other, ${restart}.`
  if (chosen.length === 0)
    return [
      warn(
        'STATIC_NO_DEFAULT',
        'no entry point is asDefault, so a router of another provider that names none goes onto every port of the pools',
        remedy,
      ),
    ]
  return pool.length === 0
    ? []
    : [
        warn(
          'STATIC_DEFAULT_POOL',
          `${pool.map(({ name }) => name).join(', ')} of the pools is asDefault: routers of other providers may go there`,
          remedy,
        ),
      ]
}

function apiFindings({ api, entryPoints }: StaticFacts): Finding[] {
  if (api === null)
    return [
      warn(
        'STATIC_NO_API',
        "Traefik's API is off, so no route is ever confirmed",
        `Write, ${restart}:\n  api:\n    insecure: true`,
      ),
    ]
  const address = entryPoints.find(({ name }) => name === 'traefik')?.address ?? ':8080'
  return !api.insecure || isLoopbackHost(hostOf(address))
    ? []
    : [
        warn(
          'STATIC_API_EXPOSED',
          `the API without credentials is on ${JSON.stringify(address)}, which other machines may reach`,
          `Write, ${restart}:\n  entryPoints:\n    traefik:\n      address: "127.0.0.1:${parseEntryPointAddress(address)?.port ?? 8080}"`,
        ),
      ]
}

/** In the file and not open: it was edited and Traefik not restarted. In neither: doctor-ports.ts tells it, when Traefik can be asked. */
function declaredFindings({ entryPoints }: StaticFacts, { settings, traefik }: DoctorFacts): Finding[] {
  const declared = entryPoints.flatMap(({ name, address }): ObservedEntryPoint[] => {
    const parsed = parseEntryPointAddress(address)
    return parsed === null ? [] : [{ name, address, ...parsed }]
  })
  if (traefik.kind === 'read') {
    const waiting = declared.filter(
      ({ port, protocol }) => !traefik.entryPoints.some(open => open.port === port && open.protocol === protocol),
    )
    return waiting.length === 0
      ? []
      : [
          warn(
            'STATIC_NOT_LOADED',
            `the static file has ${waiting.length} entry points that Traefik has not open (${waiting
              .slice(0, 3)
              .map(({ name }) => name)
              .join(', ')}${waiting.length > 3 ? ' and more' : ''})`,
            'Restart Traefik: it opens ports at its start only.',
          ),
        ]
  }
  return (['tcp', 'udp'] as const).flatMap(protocol => {
    const missing = settings.ports[protocol]
      .list()
      .filter(port => entryPointsFor(protocol, port, declared).kind !== 'found')
    return missing.length === 0
      ? []
      : [
          warn(
            'STATIC_PORTS_MISSING',
            `the static file has no entry points for ${protocol.toUpperCase()} ${makePortSet(missing).text}`,
            'fairlead static-config makes the whole file.',
          ),
        ]
  })
}

export function staticFindings(facts: DoctorFacts): readonly Finding[] {
  const { staticFile, settings } = facts
  if (staticFile === null) return []
  if ('fault' in staticFile)
    return [
      fault(
        'STATIC_FILE_INVALID',
        `${staticFile.path} is no static configuration: ${staticFile.fault}`,
        'Traefik does not start with it. fairlead static-config makes a new one.',
      ),
    ]
  const { provider } = staticFile
  if (provider === null)
    return [
      fault(
        'STATIC_NO_PROVIDER',
        `${staticFile.path} has no providers.http, so Traefik never asks the agent`,
        `Write, ${restart}:\n  providers:\n    providersThrottleDuration: 100ms\n    http:\n      endpoint: "http://${listenText(settings.provider)}/traefik?hold=25s"\n      pollInterval: 100ms\n      pollTimeout: 40s`,
      ),
      ...defaultFindings(staticFile, settings),
      ...apiFindings(staticFile),
    ]
  return [
    ...endpointFindings(provider, settings),
    ...paceFindings(provider, staticFile.throttleMs),
    ...tokenFindings(provider, staticFile, settings.wantsToken),
    ...defaultFindings(staticFile, settings),
    ...apiFindings(staticFile),
    ...declaredFindings(staticFile, facts),
  ]
}
