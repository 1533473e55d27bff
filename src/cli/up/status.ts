/** What `fairlead up` reads of the agent's `/status`, and what is worth a line when it changes. */
import { request } from 'node:http'
import { z } from 'zod'

const routeSchema = z.object({
  id: z.string(),
  protocol: z.enum(['http', 'tcp', 'udp']),
  verdict: z.string(),
  message: z.string(),
  remedy: z.string(),
  entryPoints: z.array(z.string()),
  /** Of the state that the verdict speaks of; a number where the control plane counts. */
  revision: z.union([z.string(), z.number()]),
})

const statusSchema = z.object({
  startedAt: z.string(),
  revision: z.object({ served: z.union([z.string(), z.number()]).nullable() }),
  traefik: z.object({ state: z.string(), startedAt: z.string().nullable() }),
  routes: z.array(routeSchema),
  problems: z.array(z.object({ origin: z.string(), message: z.string(), remedy: z.string() })),
  sources: z.array(
    z.object({
      name: z.string(),
      routes: z.number().nullable(),
      fault: z.object({ message: z.string(), remedy: z.string() }).nullable(),
    }),
  ),
})

export type UpRoute = z.output<typeof routeSchema>
export type UpStatus = z.output<typeof statusSchema>

const TIMEOUT_MS = 2_000
const MAX_BYTES = 64 * 1024 * 1024

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/status', agent: false }, response => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_BYTES) sent.destroy(new Error('the answer is too long'))
        chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(Buffer.concat(chunks).toString('utf8'))
          : reject(new Error(`/status answered ${response.statusCode}`)),
      )
    })
    sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error('no answer in time')))
    sent.on('error', reject)
    sent.end()
  })
}

/** Of the admin endpoint on this loopback port; null while it does not answer, or not as the agent does. */
export async function fetchStatus(port: number): Promise<UpStatus | null> {
  try {
    const parsed = statusSchema.safeParse(JSON.parse(await get(port)))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

export const keyOf = (route: Pick<UpRoute, 'protocol' | 'id'>): string => `${route.protocol}/${route.id}`

/** An agent that has just started serves what it served before, and has not judged it yet. */
const isJudged = (status: UpStatus): boolean =>
  status.routes.length > 0 || status.sources.every(({ routes }) => (routes ?? 0) === 0)

/** Nothing is under way: Traefik has been asked, and every route has a verdict that stays. */
export const isSettled = (status: UpStatus): boolean =>
  status.traefik.state === 'verified' &&
  status.revision.served !== null &&
  isJudged(status) &&
  status.routes.every(({ verdict }) => verdict !== 'pending')

/** What the control plane was told at this start: the routes that were put in, each with its revision, and the keys of those that go. */
export type Told = {
  readonly put: readonly { readonly key: string; readonly revision: number }[]
  readonly gone: readonly string[]
}

/** Whether these verdicts speak of it. Before that a route may be live with the backend of the last start, which is gone. */
export function hasHeard(status: UpStatus, { put, gone }: Told): boolean {
  const revisions = new Map(status.routes.map(route => [keyOf(route), route.revision]))
  const isNew = ({ key, revision }: Told['put'][number]): boolean => {
    const heard = revisions.get(key)
    return typeof heard === 'number' && heard >= revision
  }
  return put.every(isNew) && !gone.some(key => revisions.has(key))
}

/** Whether all that was put in is live. */
export function isLive(status: UpStatus, { put }: Pick<Told, 'put'>): boolean {
  const live = new Set(status.routes.filter(({ verdict }) => verdict === 'live').map(keyOf))
  return put.every(({ key }) => live.has(key))
}

export type Line = { readonly good: boolean; readonly text: string }

/** What was said last, by the thing that it was said of. */
export type Said = ReadonlyMap<string, string>

const sentence = (message: string, remedy: string): string => `${message.replace(/\.$/, '')}. ${remedy}`

export type NameOf = (key: string) => string
const ITSELF: NameOf = key => key

/** A route in one line: with the way out unless it is live. */
export function routeLine(route: UpRoute, nameOf: NameOf = ITSELF): Line {
  const name = nameOf(keyOf(route))
  const good = route.verdict === 'live'
  const where = route.entryPoints.length === 0 ? '' : ` on ${route.entryPoints.join(', ')}`
  return {
    good,
    text: good ? `${name}: live${where}` : `${name}: ${route.verdict}: ${sentence(route.message, route.remedy)}`,
  }
}

/** Everything that there is to say now, by the thing that it is said of. What is under way is not said. */
function sayings(status: UpStatus, nameOf: NameOf): Map<string, Line> {
  const lines = new Map<string, Line>()
  for (const route of status.routes)
    if (route.verdict !== 'pending') lines.set(`route ${keyOf(route)}`, routeLine(route, nameOf))
  for (const { origin, message, remedy } of status.problems)
    lines.set(`file ${origin}`, { good: false, text: `${origin}: ${sentence(message, remedy)}` })
  for (const { name, fault } of status.sources)
    if (fault !== null)
      lines.set(`source ${name}`, { good: false, text: `${name}: ${sentence(fault.message, fault.remedy)}` })
  return lines
}

/** What has changed since it was last said. A route that is pending keeps what was said of it. */
export function changesOf(
  said: Said,
  status: UpStatus,
  nameOf: NameOf = ITSELF,
): { readonly lines: readonly Line[]; readonly said: Said } {
  if (!isJudged(status)) return { lines: [], said }
  const now = sayings(status, nameOf)
  const pending = new Set(
    status.routes.filter(({ verdict }) => verdict === 'pending').map(route => `route ${keyOf(route)}`),
  )
  const changed = [...now].filter(([key, line]) => said.get(key) !== line.text).map(([, line]) => line)
  const gone = [...said.keys()]
    .filter(key => !now.has(key) && !pending.has(key))
    .map((key): Line => {
      const name = key.slice(key.indexOf(' ') + 1)
      return { good: true, text: key.startsWith('route ') ? `${nameOf(name)}: removed` : `${name}: no fault any more` }
    })
  const next = new Map([...said].filter(([key]) => pending.has(key)))
  for (const [key, line] of now) next.set(key, line.text)
  return { lines: [...changed, ...gone], said: next }
}
