/** The files of `fairlead up`: settings of agent and control plane, Traefik's static configuration and its token; routes to begin with. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isRoutesFileName } from '../../agent/sources/files-read.ts'
import { parseControlConfig } from '../../control/config.ts'
import { makePortSet, type PortSet } from '../../core/port-set.ts'
import { STATIC_DEFAULTS, staticConfig } from '../../core/static-config.ts'
import { errorCode } from '../../lib/errors.ts'
import { writeSecretFile } from '../../lib/secret-file.ts'
import type { Place } from './place.ts'
import type { Pools, Ports } from './ports.ts'

const LOOPBACK = '127.0.0.1'

/** Double-quoted JSON is YAML too. */
const quoted = (text: string): string => JSON.stringify(text)

/** Upstreams that an agent refuses unless it is told otherwise; here they are what one has to try with. */
export const ALLOWED_UPSTREAMS = ['127.0.0.0/8', '::1/128'] as const

const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

/** What the node is called in the control plane: the machine's name, if that is one. */
export const nodeName = (hostName: string): string => (HOST_NAME.test(hostName) ? hostName : 'local')

export function agentSettings(place: Place, ports: Ports, node: string): string {
  return [
    '# Settings of the agent that `fairlead up` runs. Written anew at each start: changes are lost.',
    '# A node of its own has its settings in /etc/fairlead/agent.yaml.',
    `node: ${quoted(node)}`,
    `state: { directory: ${quoted(place.agentState)} }`,
    'sources:',
    `  files: { directory: ${quoted(place.routes)} }`,
    `  controlPlane: { urls: [${quoted(controlUrl(ports))}], identityFile: ${quoted(place.identityFile)} }`,
    `provider: { listen: ${LOOPBACK}:${ports.provider}, tokenFile: ${quoted(place.tokenFile)} }`,
    `admin: { listen: ${LOOPBACK}:${ports.admin} }`,
    `traefik: { api: http://${LOOPBACK}:${ports.api} }`,
    `ports: { tcp: ${quoted(ports.tcp.text)}, udp: ${quoted(ports.udp.text)} }`,
    '# Loopback is refused elsewhere: there it leads into the proxy node itself.',
    `policy: { allowUpstreams: [${ALLOWED_UPSTREAMS.map(quoted).join(', ')}] }`,
    '',
  ].join('\n')
}

export const controlUrl = ({ control }: Pick<Ports, 'control'>): string => `http://${LOOPBACK}:${control}`

/**
 * `wanted`: the pools as they are meant, with numbers that are busy at the moment, too: one that a route has must not leave the settings
 * because another program was quicker. `shared`: numbers for host names.
 */
export function controlSettings(place: Place, ports: Ports, wanted: Pools, shared: PortSet): string {
  return [
    '# Settings of the control plane that `fairlead up` runs. Written anew at each start: changes are lost, but for ports.shared, which grows.',
    '# A control plane of its own has its settings in /etc/fairlead/control.yaml.',
    `listen: ${LOOPBACK}:${ports.control}`,
    `state: { directory: ${quoted(place.controlState)} }`,
    `ports: { tcp: ${quoted(wanted.tcp.text)}, udp: ${quoted(wanted.udp.text)}, shared: ${quoted(shared.text)} }`,
    '# Loopback is refused elsewhere: there it leads into the proxy node itself.',
    `policy: { allowUpstreams: [${ALLOWED_UPSTREAMS.map(quoted).join(', ')}] }`,
    '',
  ].join('\n')
}

/** The number for host names, beside those that an earlier run has chosen: routes may be on them. */
export async function sharedPorts(place: Place, chosen: number | undefined): Promise<PortSet> {
  const text = await readFile(place.controlFile, 'utf8').catch(() => null)
  const before = text === null ? null : parseControlConfig({ text, fileName: place.controlFile, env: {} })
  const kept = before?.ok === true ? before.config.ports.shared.list() : []
  return makePortSet(chosen === undefined ? kept : [...kept, chosen])
}

/** Traefik's static file. `pools` may hold fewer ports than the agent knows: those that are still free. */
export const traefikSettings = (place: Place, ports: Ports, pools: Pools, token: string): string =>
  staticConfig({
    ...STATIC_DEFAULTS,
    tcpPorts: pools.tcp,
    udpPorts: pools.udp,
    web: { host: '', port: ports.web },
    websecure: { host: '', port: ports.websecure },
    traefik: { host: LOOPBACK, port: ports.api },
    provider: { host: LOOPBACK, port: ports.provider },
    token,
    madeBy: `fairlead up --state ${place.directory}`,
  })

/** Nobody but the owner of the folder can ask the agent for the routes. A new one at each start. */
export const newToken = (): string => randomBytes(32).toString('base64url')

export const writeSecret = (path: string, text: string): Promise<void> => writeSecretFile(path, text, { replace: true })

/** Whole or not at all. The name in between is none that the agent reads. */
export async function writeRoutes(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = join(dirname(path), `.${process.pid}.tmp`)
  await writeFile(temporary, text, { mode: 0o644 })
  await rename(temporary, path)
}

// Lists in brackets, so that a line counts as soon as its # is gone: below `tcpRoutes: []` it would be a fault that few understand.
const EXAMPLE = `# Your routes. Take the # away from a line, change it and save: what became of each route is said in the terminal of \`fairlead up\`.
# Any number of files in this folder, *.yaml, *.yml or *.json, is read together.

# HTTP: a host name, perhaps with a path.
routes: [
#  { id: app, domain: app.localhost, upstreams: [{ url: "http://127.0.0.1:3000" }], redirectToHttps: false },
  ]

# TCP: a port of the pool. With sniHostname several routes share one port, and TLS is passed through.
tcpRoutes: [
#  { id: postgres, externalPort: TCP_PORT, upstreams: ["127.0.0.1:5432"] },
#  { id: mail, externalPort: TCP_PORT_2, sniHostname: mail.example.com, upstreams: ["127.0.0.1:9993"] },
  ]

# UDP: a port of the pool.
udpRoutes: [
#  { id: dns, externalPort: UDP_PORT, upstreams: ["127.0.0.1:5353"] },
  ]
`

/** Three empty lists, and what could stand in them. The ports are the last ones, which a demo does not take. */
export function exampleRoutes({ tcp, udp }: Pools): string {
  const [tcpPort, secondTcpPort] = [tcp.list().at(-2), tcp.list().at(-1)]
  return EXAMPLE.replaceAll('TCP_PORT_2', String(secondTcpPort ?? 10_099))
    .replaceAll('TCP_PORT', String(tcpPort ?? 10_098))
    .replaceAll('UDP_PORT', String(udp.list().at(-1) ?? 11_099))
}

/** Makes the folder, and a first file in it when nobody has put one there. The path is one to edit. */
export async function prepareRoutes(place: Place, pools: Pools): Promise<string> {
  await mkdir(place.routes, { recursive: true, mode: 0o700 })
  const paths = (await readdir(place.routes))
    .filter(isRoutesFileName)
    .map(name => join(place.routes, name))
    .filter(path => path !== place.demoRoutes)
    .sort()
  if (paths.length === 0) await writeRoutes(place.ownRoutes, exampleRoutes(pools))
  return paths.includes(place.ownRoutes) ? place.ownRoutes : (paths[0] ?? place.ownRoutes)
}

/** What the demo of an older version has left: its routes are in the control plane now. True when there was such a file. */
export async function removeDemoRoutes(place: Place): Promise<boolean> {
  try {
    await rm(place.demoRoutes)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
