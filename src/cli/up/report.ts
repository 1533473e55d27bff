/** The block of text that `fairlead up` prints once, when it is known what became of the routes. Pure. */
import type { Paint } from '../io.ts'
import { shellWord } from '../shell-word.ts'
import type { Place } from './place.ts'
import type { DemoRoute } from './plane.ts'
import type { Pools, Ports } from './ports.ts'
import { isSettled, keyOf, type NameOf, routeLine, type UpRoute, type UpStatus } from './status.ts'
import { ALLOWED_UPSTREAMS, controlUrl } from './write-files.ts'

/** What is known of the control plane. */
export type PlaneReport =
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'there'
      /** Opens the console, once. */
      readonly link: string
      /** How commands are told of it, where the user's own `cli.yaml` names another; null: it is in there. */
      readonly variables: { readonly url: string; readonly tokenFile: string } | null
    }

export type ReportInput = {
  readonly place: Place
  /** A routes file of the user. */
  readonly editable: string
  readonly ports: Ports
  /** What Traefik has really open. */
  readonly pools: Pools
  readonly traefikVersion: string
  /** Null: the agent does not answer. */
  readonly status: UpStatus | null
  /** Commands that ask the agent, as a shell takes them; empty when it is not known how this program is called. */
  readonly asking: readonly string[]
  readonly plane: PlaneReport
  readonly withDemo: boolean
  /** Empty without `--demo`, and when the control plane does not take it. */
  readonly demo: readonly DemoRoute[]
  /** How this program is called, as a shell takes it. */
  readonly program: string
  readonly nameOf: NameOf
  readonly sinceStartMs: number
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const indent = (lines: readonly string[], by = '  '): string[] => lines.map(line => `${by}${line}`)

/** How it stands, in one line. */
export function summary({ status, place }: Pick<ReportInput, 'status' | 'place'>): {
  readonly good: boolean
  readonly text: string
} {
  if (status === null) return { good: false, text: `The agent does not answer; see ${place.agentLog}` }
  const live = status.routes.filter(({ verdict }) => verdict === 'live').length
  const total = status.routes.length
  if (status.traefik.state !== 'verified')
    return { good: false, text: `Traefik does not answer; see ${place.traefikLog}` }
  if (total === 0)
    return isSettled(status)
      ? { good: true, text: 'Up, with no routes yet' }
      : { good: false, text: `No routes are served yet; see ${place.agentLog}` }
  return live === total
    ? { good: true, text: `Live: ${total === 1 ? 'the one route' : `all ${total} routes`}` }
    : { good: false, text: `Live: ${live} of ${total} routes` }
}

const pool = (name: string, ports: Pools['tcp']): string =>
  ports.size === 0 ? `no ${name} ports` : `${name} ${ports.text.replaceAll(',', ', ')}`

function whatRuns({ ports, pools, traefikVersion, place }: ReportInput, paint: Paint): string[] {
  return [
    paint('bold', 'What runs where'),
    ...indent([
      `Traefik ${traefikVersion}  HTTP ${ports.web}, HTTPS ${ports.websecure}, ${pool('TCP', pools.tcp)}, ${pool('UDP', pools.udp)}`,
      '  on all addresses of this machine; its API and dashboard are on loopback:',
      `  http://127.0.0.1:${ports.api}/dashboard/`,
      `Control plane  ${controlUrl(ports)}, its database in ${place.controlState} (loopback)`,
      `Agent  http://127.0.0.1:${ports.admin}/status, /metrics (loopback)`,
      `  Upstreams on ${ALLOWED_UPSTREAMS.join(' and ')} are allowed here; by themselves both refuse them.`,
      `Logs  ${place.controlLog}, ${place.agentLog}, ${place.traefikLog}`,
    ]),
  ]
}

function whatToOpen({ plane, place, ports, program }: ReportInput, paint: Paint): string[] {
  const lines =
    plane.kind === 'there'
      ? [
          plane.link,
          '  the console; the link works once, within half an hour. Another one:',
          `  ${program} control admin-link --config ${shellWord(place.controlFile)}`,
        ]
      : [paint('yellow', `The control plane at ${controlUrl(ports)} does not answer; see ${place.controlLog}`)]
  return [paint('bold', 'What to open'), ...indent(lines), '']
}

function whatToType({ demo, withDemo, status, nameOf }: ReportInput, paint: Paint): string[] {
  if (!withDemo) return []
  const found = new Map<string, UpRoute>((status?.routes ?? []).map(route => [keyOf(route), route]))
  const lines = demo.flatMap(({ key, name, title, commands }) => {
    const route = found.get(key)
    const line = route === undefined ? null : routeLine(route, nameOf)
    if (line === null || !line.good)
      return [title, ...indent([paint('yellow', line === null ? `${name}: nothing is known of it yet` : line.text)])]
    return [
      title,
      ...indent(commands.length === 0 ? ['(no program to ask it with is installed here)'] : commands, '    '),
    ]
  })
  const none = ['(the control plane has not taken the demo)']
  return [paint('bold', 'What to type'), ...indent(lines.length === 0 ? none : lines), '']
}

/** Of the user's own files and services; those of the demo stand with their commands. */
function otherRoutes({ demo, status, nameOf }: ReportInput, paint: Paint): string[] {
  const shown = new Set<string>(demo.map(({ key }) => key))
  const others = (status?.routes ?? []).filter(route => !shown.has(keyOf(route)))
  if (others.length === 0) return []
  const lines = others.slice(0, 20).map(route => {
    const { good, text } = routeLine(route, nameOf)
    return good ? text : paint('yellow', text)
  })
  const more = others.length > 20 ? [`and ${others.length - 20} more`] : []
  return [paint('bold', 'Your routes'), ...indent([...lines, ...more]), '']
}

/** In the console, or by a command. */
function exposeLines({ program, plane }: ReportInput): string[] {
  if (plane.kind === 'silent') return []
  const { variables } = plane
  return [
    'In the console, or with a command, in another terminal:',
    ...(variables === null
      ? []
      : [`  export FAIRLEAD_URL=${variables.url} FAIRLEAD_TOKEN="$(cat ${shellWord(variables.tokenFile)})"`]),
    `  ${program} expose 127.0.0.1:5432 --wait`,
  ]
}

export function report(input: ReportInput, paint: Paint): string {
  const { good, text } = summary(input)
  const { place, editable } = input
  const lines = [
    '',
    paint(good ? 'green' : 'yellow', good ? `${text}, ${seconds(input.sinceStartMs)} after the start.` : `${text}.`),
    '',
    ...whatRuns(input, paint),
    '',
    ...whatToOpen(input, paint),
    ...whatToType(input, paint),
    ...otherRoutes(input, paint),
    paint('bold', 'Routes of your own'),
    ...indent([
      ...exposeLines(input),
      `Or edit ${editable}, save it and watch this terminal. Every file in ${place.routes} counts.`,
    ]),
    '',
    ...(input.asking.length === 0
      ? []
      : [paint('bold', 'To ask what became of them, in another terminal'), ...indent(input.asking), '']),
    paint('bold', 'To stop'),
    ...indent(['Ctrl-C']),
    '',
  ]
  return `${lines.join('\n')}\n`
}
