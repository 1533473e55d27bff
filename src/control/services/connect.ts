/**
 * How clients reach a port, as commands to paste: the right flags for its TLS, its host name, its number. Pure.
 *
 * A client that is to be told apart by host name has to dial that name: so it is the name that stands in its command, and it has to resolve
 * to the proxy. `openssl s_client` can send another name than it dials, so it works before the DNS does.
 */
import type { ConnectCommand, PresetId, TlsMode } from '../../api/port.ts'
import type { Protocol } from '../../core/problem.ts'
import { presetFacts } from './preset.ts'

export type Reachable = {
  readonly protocol: Protocol
  readonly preset: PresetId | null
  readonly domain: string | null
  readonly pathPrefix: string
  readonly redirectToHttps: boolean
  readonly externalPort: number | null
  readonly externalPortEnd: number | null
  readonly tls: TlsMode | null
  readonly sniHostname: string | null
}

/** One word of a POSIX shell: bare where nothing in it means anything to the shell, else in single quotes. */
export const quote = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

const line = (...words: readonly (string | number)[]): string => words.map(word => quote(String(word))).join(' ')

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** Any name will do for a wildcard. */
const anyName = (host: string): string => host.replace(/^\*\./, 'any.')

/** `proxy.example.com:10001`, `db.example.com:443`, `proxy.example.com:10001-10004`, `app.example.com/path`; null where there is none. */
export function addressOf(
  {
    protocol,
    domain,
    pathPrefix,
    externalPort,
    externalPortEnd,
    sniHostname,
  }: Omit<Reachable, 'preset' | 'tls' | 'redirectToHttps'>,
  publicHost: string,
): string | null {
  if (protocol === 'http') return domain === null ? null : `${domain}${pathPrefix === '/' ? '' : pathPrefix}`
  if (externalPort === null) return null
  const end = externalPortEnd === null ? '' : `-${externalPortEnd}`
  return `${bracketed(sniHostname ?? publicHost)}:${externalPort}${end}`
}

type Target = {
  /** What the client dials. */
  readonly host: string
  readonly port: number
  /** The client speaks TLS, since the proxy has to see it. */
  readonly tls: boolean
  readonly sni: string | null
  readonly publicHost: string
}

const command = (client: string, text: string, note: string | null = null): ConnectCommand => ({
  client,
  command: text,
  note,
})

/** Who dials one name and sends another; works whatever the DNS says. */
const openssl = ({ port, sni, publicHost }: Target, ...more: readonly string[]): ConnectCommand =>
  command(
    'openssl',
    line(
      'openssl',
      's_client',
      '-connect',
      `${bracketed(publicHost)}:${port}`,
      ...(sni === null ? [] : ['-servername', sni]),
      ...more,
    ),
  )

function postgres(target: Target, passthrough: boolean): ConnectCommand[] {
  const { host, port, tls, sni } = target
  if (!tls) return [command('psql', line('psql', '-h', host, '-p', port, '-U', 'postgres'))]
  const words = `host=${host} port=${port} user=postgres sslmode=require`
  return [
    command('psql', line('psql', words), sni === null ? null : 'libpq 14 or newer sends the host name.'),
    ...(passthrough
      ? [
          command(
            'psql, TLS at once',
            line('psql', `${words} sslnegotiation=direct`),
            'PostgreSQL 17 or newer on both sides.',
          ),
        ]
      : []),
    openssl(target, '-starttls', 'postgres'),
  ]
}

function tcpCommands(preset: PresetId | null, tlsMode: TlsMode | null, target: Target): ConnectCommand[] {
  const { host, port, tls, sni } = target
  const url = `${bracketed(host)}:${port}`
  const netcat = command('nc', line('nc', '-v', host, port))
  switch (preset) {
    case 'postgres':
      return postgres(target, tlsMode === 'passthrough')
    case 'mysql':
      // Without a protocol, `localhost` would mean a socket.
      return [command('mysql', line('mysql', '-h', host, '-P', port, '--protocol=TCP', '-u', 'root', '-p'))]
    case 'redis':
      return tls
        ? [
            command(
              'redis-cli',
              line('redis-cli', '-h', host, '-p', port, '--tls', ...(sni === null ? [] : ['--sni', sni])),
            ),
            openssl(target),
          ]
        : [command('redis-cli', line('redis-cli', '-h', host, '-p', port))]
    case 'mqtt': {
      const words = ['-h', host, '-p', port, ...(tls ? ['--tls-use-os-certs'] : []), '-t', 'hello']
      return [
        command(
          'mosquitto_pub',
          line('mosquitto_pub', ...words, '-m', 'world'),
          tls ? 'mosquitto 2.0 or newer; else --capath /etc/ssl/certs.' : null,
        ),
        command('mosquitto_sub', line('mosquitto_sub', ...words)),
        ...(tls ? [openssl(target)] : []),
      ]
    }
    case 'smtp':
      return [
        netcat,
        command('openssl, STARTTLS', line('openssl', 's_client', '-starttls', 'smtp', '-crlf', '-connect', url)),
      ]
    case 'ssh':
      return [command('ssh', line('ssh', '-p', port, `root@${host}`))]
    case 'ftp':
      return [command('curl', line('curl', `ftp://${url}/`))]
    case 'http': {
      const scheme = tls ? 'https' : 'http'
      return [command('curl', line('curl', '-i', `${scheme}://${url}/`))]
    }
    case 'dns':
      return [command('dig', line('dig', `@${host}`, '-p', port, '+tcp', 'example.com'))]
    case 'minecraft':
      return [command('Minecraft', url, 'The address for Add Server.'), netcat]
    case 'custom':
    case null:
      return tls ? [openssl(target)] : [netcat]
    default:
      return preset satisfies never
  }
}

function udpCommands(preset: PresetId | null, host: string, port: number): ConnectCommand[] {
  if (preset === 'dns') return [command('dig', line('dig', `@${host}`, '-p', port, 'example.com'))]
  return [command('nc', line('nc', '-u', host, port), 'UDP answers only where the service does.')]
}

function httpCommands(domain: string, path: string, redirectToHttps: boolean): ConnectCommand[] {
  const place = `${anyName(domain)}${path}`
  return [
    command('curl', line('curl', '-i', `https://${place}`)),
    ...(redirectToHttps ? [] : [command('curl, plain', line('curl', '-i', `http://${place}`))]),
  ]
}

/** Empty for what has no public address. The preset is the one that counts: the port's own, or that of its service. */
export function connectCommands(port: Reachable, publicHost: string): ConnectCommand[] {
  const { protocol, preset, domain, pathPrefix, redirectToHttps, externalPort, tls, sniHostname } = port
  if (protocol === 'http') return domain === null ? [] : httpCommands(domain, pathPrefix, redirectToHttps)
  if (externalPort === null) return []
  if (protocol === 'udp') return udpCommands(preset, publicHost, externalPort)
  const sni = sniHostname === null ? null : anyName(sniHostname)
  const target = { host: sni ?? publicHost, port: externalPort, tls: tls !== null && tls !== 'none', sni, publicHost }
  return tcpCommands(preset, tls, target)
}

/** For the list of presets: on a number of its own, without TLS. */
export function exampleCommands(id: PresetId, publicHost: string): ConnectCommand[] {
  const { protocol } = presetFacts(id)
  return connectCommands(
    {
      protocol,
      preset: id,
      domain: protocol === 'http' ? 'app.example.com' : null,
      pathPrefix: '/',
      redirectToHttps: true,
      externalPort: protocol === 'udp' ? 11_000 : protocol === 'tcp' ? 10_000 : null,
      externalPortEnd: null,
      tls: null,
      sniHostname: null,
    },
    publicHost,
  )
}
