/** The block of text that `fairlead up` prints once, when it is known what became of the routes. Pure. */
import type { Paint } from '../io.ts'
import type { DemoRoute } from './demo-routes.ts'
import type { Place } from './place.ts'
import type { Pools, Ports } from './ports.ts'
import { isSettled, keyOf, routeLine, type UpStatus } from './status.ts'
import { ALLOWED_UPSTREAMS } from './write-files.ts'

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
  /** Empty without `--demo`. */
  readonly demo: readonly DemoRoute[]
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
      `Agent  http://127.0.0.1:${ports.admin}/status, /metrics (loopback)`,
      `  Upstreams on ${ALLOWED_UPSTREAMS.join(' and ')} are allowed here; an agent by itself refuses them.`,
      `Logs  ${place.agentLog}, ${place.traefikLog}`,
    ]),
  ]
}

function whatToType({ demo, status }: ReportInput, paint: Paint): string[] {
  if (demo.length === 0) return []
  const found = new Map((status?.routes ?? []).map(route => [keyOf(route), route]))
  const lines = demo.flatMap(({ key, title, commands }) => {
    const route = found.get(key)
    const line = route === undefined ? null : routeLine(route)
    if (line === null || !line.good)
      return [title, ...indent([paint('yellow', line === null ? `${key}: nothing is known of it yet` : line.text)])]
    return [
      title,
      ...indent(commands.length === 0 ? ['(no program to ask it with is installed here)'] : commands, '    '),
    ]
  })
  return [paint('bold', 'What to type'), ...indent(lines), '']
}

/** Of the user's own files; those of the demo stand with their commands. */
function otherRoutes({ demo, status }: ReportInput, paint: Paint): string[] {
  const shown = new Set<string>(demo.map(({ key }) => key))
  const others = (status?.routes ?? []).filter(route => !shown.has(keyOf(route)))
  if (others.length === 0) return []
  const lines = others.slice(0, 20).map(route => {
    const { good, text } = routeLine(route)
    return good ? text : paint('yellow', text)
  })
  const more = others.length > 20 ? [`and ${others.length - 20} more`] : []
  return [paint('bold', 'Your routes'), ...indent([...lines, ...more]), '']
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
    ...whatToType(input, paint),
    ...otherRoutes(input, paint),
    paint('bold', 'Routes of your own'),
    ...indent([`Edit ${editable}, save it and watch this terminal.`, `Every file in ${place.routes} counts.`]),
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
