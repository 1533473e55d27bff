/** Traefik itself: whether its API answers to us and to nobody else, and what its version can do. */
import { capabilitiesOf, compareVersions, NEWEST_SUPPORTED, OLDEST_SUPPORTED, parseVersion } from '../capabilities.ts'
import type { ObservedEntryPoint } from '../observed.ts'
import { type DoctorFacts, type Finding, fault, note, ok, type TraefikFacts, warn } from './facts.ts'

/** Host of `:8080`, `127.0.0.1:8080`, `[::1]:8080/tcp`; empty: every address. */
export const hostOf = (address: string): string =>
  address
    .replace(/\/(?:tcp|udp)$/i, '')
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')

export const isLoopbackHost = (host: string): boolean => host === '::1' || host === 'localhost' || /^127\./.test(host)

const API_REMEDY: Readonly<Record<Extract<TraefikFacts, { kind: 'fault' }>['fault'], string>> = {
  unreachable:
    'Look whether Traefik runs: systemctl status traefik. If it does not, no port of this node answers. If it does, traefik.api is not the address of its entry point "traefik": then routes are served all the same, and none is confirmed.',
  timeout:
    'Look at the load of this machine and whether Traefik hangs: if a client gets no answer on a port either, restart it. Otherwise routes are served all the same, and none is confirmed.',
  secured:
    'Give it an entry point on loopback without credentials: api: { insecure: true } and entryPoints.traefik.address: "127.0.0.1:8080".',
  'not-traefik': 'Set traefik.api to the address of Traefik, without a path of the dashboard.',
  'too-large': 'Spread the routes over more nodes.',
  status:
    'Set traefik.api to the address of Traefik\'s entry point "traefik", such as http://127.0.0.1:8080. If it is that, its API is off: write api: { insecure: true } into the static configuration, and restart Traefik.',
}

function versionFindings(text: string): Finding[] {
  const version = parseVersion(text)
  const oldest = parseVersion(OLDEST_SUPPORTED)
  const newest = parseVersion(NEWEST_SUPPORTED)
  if (version === null || oldest === null || newest === null)
    return [
      note(
        'TRAEFIK_VERSION_UNKNOWN',
        `Traefik calls its version ${JSON.stringify(text)}, so it gets what ${OLDEST_SUPPORTED} can do`,
        'A released version gets all of its own.',
      ),
    ]
  if (compareVersions(version, oldest) < 0)
    return [
      fault(
        'TRAEFIK_TOO_OLD',
        `Traefik ${text} is older than ${OLDEST_SUPPORTED}`,
        `Upgrade it; the newest that was measured is ${NEWEST_SUPPORTED}.`,
      ),
    ]
  const can = capabilitiesOf(text)
  const missing = [
    ...(can.tcpHealthCheck ? [] : ['health checks on TCP (3.6.0): they are left out']),
    ...(can.serversTransportProxyProtocol ? [] : ['PROXY protocol with a dial time-out of ours (3.5.3)']),
    ...(can.hostSniWildcard ? [] : ['wildcards as TCP host names (3.7.0): a regular expression does the same']),
  ]
  const newer =
    compareVersions(version, newest) > 0
      ? [
          note(
            'TRAEFIK_NEWER',
            `Traefik ${text} is newer than ${NEWEST_SUPPORTED}, the newest that was measured`,
            'Should it refuse a field, the agent notices and goes on without it.',
          ),
        ]
      : []
  return missing.length === 0
    ? [ok('TRAEFIK_VERSION', `Traefik ${text} is supported, with all that is used of it`), ...newer]
    : [
        ok('TRAEFIK_VERSION', `Traefik ${text} is supported`),
        note(
          'TRAEFIK_LACKS',
          `Traefik ${text} does not have ${missing.join('; ')}`,
          `Upgrade it if that is needed, to ${NEWEST_SUPPORTED} for all of them.`,
        ),
      ]
}

function apiPort(api: string | null): number | null {
  if (api === null || !URL.canParse(api)) return null
  const { port, protocol } = new URL(api)
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}

/** Routers and upstreams of every route can be read there, and with `insecure` by anyone who gets through. */
function exposedApi(entryPoints: readonly ObservedEntryPoint[], apiPort: number | null): Finding[] {
  const carrying = entryPoints.filter(
    ({ name, port, protocol }) => protocol === 'tcp' && (name === 'traefik' || port === apiPort),
  )
  const open = carrying.filter(({ address }) => !isLoopbackHost(hostOf(address)))
  return open.length === 0
    ? carrying.length === 0
      ? []
      : [ok('API_ON_LOOPBACK', "Traefik's API is for this machine alone")]
    : open.map(({ name, address, port }) =>
        warn(
          'API_EXPOSED',
          `Traefik's API is on the entry point ${name} at ${JSON.stringify(address)}, which other machines may reach`,
          `Bind it to loopback, and restart Traefik:\n  entryPoints:\n    ${name}:\n      address: "127.0.0.1:${port}"`,
        ),
      )
}

const HTTP_PROVIDER = 'HTTP'

function providerFindings(providers: readonly string[] | null): Finding[] {
  if (providers === null || providers.includes(HTTP_PROVIDER)) return []
  return [
    fault(
      'TRAEFIK_WITHOUT_PROVIDER',
      `the Traefik that is read has no HTTP provider (${providers.length === 0 ? 'none at all' : providers.join(', ')}), so it never asks an agent`,
      'Give it providers.http, as fairlead static-config writes it, and restart it; or set traefik.api to the API of the Traefik that polls.',
    ),
  ]
}

export function traefikFindings({ traefik, settings }: DoctorFacts): readonly Finding[] {
  switch (traefik.kind) {
    case 'not-configured':
      return [
        warn(
          'API_NOT_CONFIGURED',
          'no traefik.api is set, so no route is ever confirmed and entry points go by their names',
          'Set traefik.api in the settings of the agent, such as http://127.0.0.1:8080.',
        ),
      ]
    case 'fault':
      return [fault('API_FAULT', traefik.message, API_REMEDY[traefik.fault])]
    case 'read':
      return [
        ok('API_ANSWERS', "Traefik's API answers"),
        ...versionFindings(traefik.version),
        ...providerFindings(traefik.providers),
        ...exposedApi(traefik.entryPoints, apiPort(settings.api)),
      ]
    default:
      return traefik satisfies never
  }
}
