/** The routes of `--demo`, and for each of them what to type. Pure. */
import type { RouteKey } from '../../core/problem.ts'
import { type DemoPorts, TLS_HOSTS, WEB_HOST } from './demo-backends.ts'
import type { Ports } from './ports.ts'

export type DemoRoute = {
  readonly key: RouteKey
  /** What it shows, for a heading. */
  readonly title: string
  readonly commands: readonly string[]
}

export type DemoPlan = {
  /** Content of the routes file. */
  readonly file: string
  readonly routes: readonly DemoRoute[]
}

export type Tools = {
  /** Is there a command of this name? */
  readonly has: (name: string) => boolean
  /** A proxy is set in the environment, and curl would ask that. */
  readonly proxied: boolean
}

type Chosen = { readonly lines: number; readonly tls: number; readonly udp: number }

const fileText = (backends: DemoPorts, { lines, tls, udp }: Chosen): string => `# Made by \`fairlead up --demo\`.
# It is written again at each start, since the backends of the demo get new ports: put your own routes into another file of this folder.

routes:
  - id: demo-app
    domain: ${WEB_HOST}
    upstreams: [{ url: "http://127.0.0.1:${backends.web}" }]
    redirectToHttps: false

tcpRoutes:
  # One port, one upstream.
  - id: demo-lines
    upstreams: ["127.0.0.1:${backends.lines}"]
    externalPort: ${lines}
  # Two that share a port: which one is meant is in the first bytes of TLS. They keep their own certificates.
${TLS_HOSTS.map(
  (host, i) => `  - id: demo-${host.slice(0, 1)}
    upstreams: ["127.0.0.1:${backends.tls[i] ?? 0}"]
    externalPort: ${tls}
    tlsPassthrough: true
    sniHostname: ${host}`,
).join('\n')}

udpRoutes:
  - id: demo-udp
    upstreams: ["127.0.0.1:${backends.udp}"]
    externalPort: ${udp}
`

/** Each must work as it stands: with programs that are there, whatever the resolver says of these names. */
function commandsOf(ports: Ports, { lines, tls, udp }: Chosen, { has, proxied }: Tools): Omit<DemoPlan, 'file'> {
  const when = (name: string, command: string): readonly string[] => (has(name) ? [command] : [])
  const curl = (options: string, url: string, host: string, port: number): readonly string[] =>
    when('curl', `curl -s${options} ${proxied ? "--noproxy '*' " : ''}--resolve ${host}:${port}:127.0.0.1 ${url}`)
  const talk = has('nc') ? [`nc 127.0.0.1 ${lines}`] : when('curl', `curl -sN telnet://127.0.0.1:${lines}`)
  const routes: DemoRoute[] = [
    {
      key: 'tcp/demo-lines',
      title: `TCP port ${lines}: a server that speaks first, then gives lines back (quit ends it)`,
      commands: [
        ...talk,
        ...when('bash', `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${lines}; echo hello >&3; head -n 2 <&3'`),
      ],
    },
    ...TLS_HOSTS.map(
      (host): DemoRoute => ({
        key: `tcp/demo-${host.slice(0, 1)}`,
        title: `TCP port ${tls}, ${host}: TLS passed through, found by its server name`,
        commands: [
          ...(has('openssl')
            ? [
                `openssl s_client -connect 127.0.0.1:${tls} -servername ${host} </dev/null 2>/dev/null | openssl x509 -noout -subject`,
              ]
            : []),
          ...curl('k', `https://${host}:${tls}/`, host, tls),
        ],
      }),
    ),
    {
      key: 'udp/demo-udp',
      title: `UDP port ${udp}: answers datagrams, and DNS`,
      commands: [
        ...when('bash', `bash -c 'exec 3<>/dev/udp/127.0.0.1/${udp}; echo hello >&3; timeout 2 head -n 1 <&3'`),
        ...when('dig', `dig +short @127.0.0.1 -p ${udp} hello.demo TXT`),
      ],
    },
    {
      key: 'http/demo-app',
      title: `HTTP port ${ports.web}: ${WEB_HOST}, in a browser http://${WEB_HOST}${ports.web === 80 ? '' : `:${ports.web}`}/`,
      commands: curl('', `http://${WEB_HOST}:${ports.web}/`, WEB_HOST, ports.web),
    },
  ]
  return { routes }
}

/** Null when the pools have not enough free ports: two of TCP, one of UDP. */
export function planDemo(ports: Ports, backends: DemoPorts, tools: Tools): DemoPlan | null {
  // One that HTTP has, too, takes no route without a host name.
  const [lines, tls] = ports.tcp.list().filter(port => port !== ports.web && port !== ports.websecure)
  const [udp] = ports.udp.list()
  if (lines === undefined || tls === undefined || udp === undefined) return null
  const chosen = { lines, tls, udp }
  return { file: fileText(backends, chosen), ...commandsOf(ports, chosen, tools) }
}
