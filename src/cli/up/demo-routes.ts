/** The services of `--demo`, and for each of them what to type. Pure. */
import type { PortInput, PresetId } from '../../api/port.ts'
import { type DemoPorts, TLS_HOSTS, WEB_HOST } from './demo-backends.ts'
import type { Ports } from './ports.ts'

/** The project that the demo has for itself. */
export const DEMO_PROJECT = 'demo'

export type DemoService = {
  readonly name: string
  readonly preset: PresetId | null
  /** With `port`, where its backend listens this time. */
  readonly port: PortInput
  /** What it shows, for a heading. */
  readonly title: string
  readonly commands: readonly string[]
}

export type Tools = {
  /** Is there a command of this name? */
  readonly has: (name: string) => boolean
  /** A proxy is set in the environment, and curl would ask that. */
  readonly proxied: boolean
}

type Chosen = { readonly lines: number; readonly tls: number; readonly udp: number }

/** Each must work as it stands: with programs that are there, whatever the resolver says of these names. */
function servicesOf(
  ports: Ports,
  backends: DemoPorts,
  { lines, tls, udp }: Chosen,
  { has, proxied }: Tools,
): readonly DemoService[] {
  const when = (name: string, command: string): readonly string[] => (has(name) ? [command] : [])
  const curl = (options: string, url: string, host: string, port: number): readonly string[] =>
    when('curl', `curl -s${options} ${proxied ? "--noproxy '*' " : ''}--resolve ${host}:${port}:127.0.0.1 ${url}`)
  const talk = has('nc') ? [`nc 127.0.0.1 ${lines}`] : when('curl', `curl -sN telnet://127.0.0.1:${lines}`)
  return [
    {
      name: 'demo-lines',
      preset: null,
      port: { protocol: 'tcp', port: backends.lines, externalPort: lines },
      title: `TCP port ${lines}: a server that speaks first, then gives lines back (quit ends it)`,
      commands: [
        ...talk,
        ...when('bash', `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${lines}; echo hello >&3; head -n 2 <&3'`),
      ],
    },
    ...TLS_HOSTS.map(
      (host, i): DemoService => ({
        name: `demo-${host.slice(0, 1)}`,
        preset: null,
        port: { protocol: 'tcp', port: backends.tls[i] ?? 0, shared: tls, sniHostname: host },
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
      name: 'demo-udp',
      preset: null,
      port: { protocol: 'udp', port: backends.udp, externalPort: udp },
      title: `UDP port ${udp}: answers datagrams, and DNS`,
      commands: [
        ...when('bash', `bash -c 'exec 3<>/dev/udp/127.0.0.1/${udp}; echo hello >&3; timeout 2 head -n 1 <&3'`),
        ...when('dig', `dig +short @127.0.0.1 -p ${udp} hello.demo TXT`),
      ],
    },
    {
      name: 'demo-app',
      preset: null,
      port: { protocol: 'http', port: backends.web, domain: WEB_HOST, redirectToHttps: false },
      title: `HTTP port ${ports.web}: ${WEB_HOST}, in a browser http://${WEB_HOST}${ports.web === 80 ? '' : `:${ports.web}`}/`,
      commands: curl('', `http://${WEB_HOST}:${ports.web}/`, WEB_HOST, ports.web),
    },
  ]
}

/** The number for host names: the second that is free, since a demo's first route takes the first. */
export function sharedNumber({ tcp, web, websecure }: Pick<Ports, 'tcp' | 'web' | 'websecure'>): number | undefined {
  // One that HTTP has, too, takes no route without a host name.
  return tcp.list().filter(port => port !== web && port !== websecure)[1]
}

/** Null when the pools have not enough free ports: two of TCP, one of UDP. */
export function planDemo(ports: Ports, backends: DemoPorts, tools: Tools): readonly DemoService[] | null {
  const [lines] = ports.tcp.list().filter(port => port !== ports.web && port !== ports.websecure)
  const tls = sharedNumber(ports)
  const [udp] = ports.udp.list()
  if (lines === undefined || tls === undefined || udp === undefined) return null
  return servicesOf(ports, backends, { lines, tls, udp }, tools)
}
