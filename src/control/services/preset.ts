/**
 * What a kind of service brings along: where it listens, who speaks first, whether its clients can choose a route by host name.
 *
 * Traefik learns the host name from the first bytes of the client. Where the server speaks first, both would wait for the other: so such a
 * service has no host name, and no TLS that the proxy would have to see.
 */
import { PRESET_IDS, type PresetId } from '../../api/port.ts'
import type { Preset } from '../../api/service.ts'

export type PresetFacts = Omit<Preset, 'connect'>

const SERVER_FIRST =
  'waits for the server to speak, and Traefik waits for the client: with a host name, or with TLS that the proxy has to see, its clients hang'

const facts: Readonly<Record<PresetId, Omit<PresetFacts, 'id'>>> = {
  http: {
    title: 'HTTP',
    protocol: 'http',
    port: 80,
    protocolHint: 'http',
    speaksFirst: 'client',
    sni: true,
    sniReason: null,
    probe: true,
    sensitive: false,
    notes: ['A domain chooses the service; https ends at the proxy.'],
  },
  postgres: {
    title: 'PostgreSQL',
    protocol: 'tcp',
    port: 5432,
    protocolHint: 'postgres',
    speaksFirst: 'client',
    sni: true,
    sniReason: null,
    probe: true,
    sensitive: true,
    notes: [
      'Clients ask for TLS in words of their own, which Traefik understands: host names work with libpq 14 or newer and with drivers that send SNI.',
      'With TLS passed through, PostgreSQL itself needs a certificate (ssl = on).',
      'sslnegotiation=direct needs version 17 on both sides, and TLS that is passed through.',
    ],
  },
  mysql: {
    title: 'MySQL, MariaDB',
    protocol: 'tcp',
    port: 3306,
    protocolHint: 'mysql',
    speaksFirst: 'server',
    sni: false,
    sniReason: `MySQL ${SERVER_FIRST}`,
    probe: null,
    sensitive: true,
    notes: [
      'It takes a number of its own. TLS between client and server works on it, and the proxy sees nothing of that.',
      'The server counts each probe as an interrupted connection of the proxy, and after max_connect_errors of them it refuses the proxy: so no probe is offered.',
      'The server sees the address of the proxy, unless both sides speak the PROXY protocol (MariaDB: proxy_protocol_networks).',
    ],
  },
  redis: {
    title: 'Redis, Valkey',
    protocol: 'tcp',
    port: 6379,
    protocolHint: 'redis',
    speaksFirst: 'client',
    sni: true,
    sniReason: null,
    probe: true,
    sensitive: true,
    notes: [
      'With TLS passed through, Redis needs tls-port and a certificate; clients send the host name only when told to (redis-cli: --sni).',
      'Without a password (requirepass, ACL) everybody who reaches it can do everything.',
    ],
  },
  mqtt: {
    title: 'MQTT',
    protocol: 'tcp',
    port: 1883,
    protocolHint: 'mqtt',
    speaksFirst: 'client',
    sni: true,
    sniReason: null,
    probe: true,
    sensitive: true,
    notes: ['Brokers listen for TLS on 8883 as a rule: give that as the port where TLS is passed through.'],
  },
  smtp: {
    title: 'SMTP',
    protocol: 'tcp',
    port: 25,
    protocolHint: 'smtp',
    speaksFirst: 'server',
    sni: false,
    sniReason: `SMTP ${SERVER_FIRST}; for TLS from the first byte (port 465) take the preset custom`,
    probe: null,
    sensitive: false,
    notes: [
      'It takes a number of its own; STARTTLS works on it.',
      'The server sees the address of the proxy, so sender policies fail, unless both sides speak the PROXY protocol.',
    ],
  },
  ssh: {
    title: 'SSH',
    protocol: 'tcp',
    port: 22,
    protocolHint: 'ssh',
    speaksFirst: 'server',
    sni: false,
    sniReason: `SSH ${SERVER_FIRST}, and it has no TLS`,
    probe: true,
    sensitive: true,
    notes: ['Host keys are remembered by name and number: a number that another server had gives a warning.'],
  },
  ftp: {
    title: 'FTP',
    protocol: 'tcp',
    port: 21,
    protocolHint: 'ftp',
    speaksFirst: 'server',
    sni: false,
    sniReason: `FTP ${SERVER_FIRST}; for TLS from the first byte (port 990) take the preset custom`,
    probe: null,
    sensitive: true,
    notes: [
      'Data goes over further connections: give the server a passive range of the same numbers as a block of ports here, and the address of the proxy as its passive address.',
    ],
  },
  dns: {
    title: 'DNS',
    protocol: 'udp',
    port: 53,
    protocolHint: null,
    speaksFirst: 'client',
    sni: false,
    sniReason: 'DNS over UDP has no TLS',
    probe: true,
    sensitive: false,
    notes: [
      'Answers that do not fit are asked for again over TCP: add a TCP port with the same number.',
      'An open resolver is used to flood others: answer only for zones of your own.',
    ],
  },
  minecraft: {
    title: 'Minecraft',
    protocol: 'tcp',
    port: 25_565,
    protocolHint: 'minecraft',
    speaksFirst: 'client',
    sni: false,
    sniReason: 'Minecraft has no TLS, so its clients send no host name that Traefik could see',
    probe: true,
    sensitive: false,
    notes: ['An SRV record _minecraft._tcp lets players leave the number out. Bedrock is UDP 19132: take custom.'],
  },
  custom: {
    title: 'Other',
    protocol: 'tcp',
    port: null,
    protocolHint: null,
    speaksFirst: null,
    sni: true,
    sniReason: null,
    probe: null,
    sensitive: false,
    notes: ['A host name needs clients that begin with TLS and send it.'],
  },
}

export const PRESETS: readonly PresetFacts[] = PRESET_IDS.map(id => ({ id, ...facts[id] }))

const isPresetId = (text: string): text is PresetId => Object.hasOwn(facts, text)

/** As the database has it; a word that this version does not know is none. */
export const toPresetId = (text: string | null): PresetId | null => (text !== null && isPresetId(text) ? text : null)

/** The facts of `custom` where nobody said what it is. */
export const presetFacts = (id: PresetId | null): PresetFacts => ({ id: id ?? 'custom', ...facts[id ?? 'custom'] })

/** What agents are told of a TCP route; null: nothing. */
export const hintOf = (preset: string | null): string | null => presetFacts(toPresetId(preset)).protocolHint
