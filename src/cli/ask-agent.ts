/** Asks the agent of this node, on its admin endpoint. Its answers are not taken on trust: each is read by a schema, and unknown fields are passed over. */
import { request } from 'node:http'
import { z } from 'zod'
import type { AgentConfig } from '../agent/config.ts'
import { errorCode } from '../lib/errors.ts'
import { formatListen, type ListenAddress } from '../lib/setting-types.ts'
import { type StatusAnswer, statusAnswer } from './agent-answers.ts'
import { CliError } from './io.ts'

const TIMEOUT_MS = 10_000
// 50,000 rows of half a kilobyte, and some.
const MAX_BYTES = 64 * 1024 * 1024

const problemAnswer = z.object({
  status: z.number(),
  code: z.string(),
  detail: z.string().catch(''),
  remedy: z.string().nullable().catch(null),
  near: z.array(z.string()).catch([]),
})
export type ProblemAnswer = z.output<typeof problemAnswer>

export type AgentAnswer =
  | { readonly ok: true; readonly json: unknown }
  /** It was understood and refused. */
  | { readonly ok: false; readonly problem: ProblemAnswer }

export type Question = {
  readonly method?: 'GET' | 'POST'
  /** Begins with a slash. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly timeoutMs?: number
}

/** The agent does not answer, or it is not the agent that does. */
export class AgentUnreachable extends CliError {
  /** One sentence without a full stop: what was tried and what came back. */
  readonly found: string
  constructor(found: string, options?: ErrorOptions) {
    super(3, [`${found}; look whether it runs: systemctl status fairlead-agent`], options)
    this.found = found
  }
}

type Raw = { readonly status: number; readonly text: string }

function send(listen: ListenAddress, question: Question): Promise<Raw> {
  const { method = 'GET', path, body, timeoutMs = TIMEOUT_MS } = question
  const payload = body === undefined ? null : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const sent = request({
      host: listen.host,
      port: listen.port,
      path,
      method,
      agent: false,
      // For the whole answer: a stopped process accepts connections and never says a word.
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: 'application/json',
        ...(payload === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      },
    })
    sent.on('error', reject)
    sent.on('response', response => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_BYTES) sent.destroy(new Error(`more than ${MAX_BYTES} bytes`))
        chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    sent.end(payload ?? undefined)
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function whyNot(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError'))
    return `no answer within ${timeoutMs / 1000} s`
  return errorCode(error) ?? (error instanceof Error ? error.message : String(error))
}

/** Throws a CliError: 2 when the settings do not say where the agent is, 3 (AgentUnreachable) when it does not answer there. */
export async function askAgent(
  { admin: { listen } }: Pick<AgentConfig, 'admin'>,
  question: Question,
): Promise<AgentAnswer> {
  if (listen.port === 0)
    throw new CliError(2, ['admin.listen has port 0, any free one, so nobody can know where the agent is; set a port'])
  const where = formatListen(listen)
  const { timeoutMs = TIMEOUT_MS } = question
  let raw: Raw
  try {
    raw = await send(listen, question)
  } catch (error) {
    throw new AgentUnreachable(`the agent does not answer at ${where} (${whyNot(error, timeoutMs)})`, { cause: error })
  }
  const json = parseJson(raw.text)
  if (raw.status === 200 && json !== undefined) return { ok: true, json }
  const problem = problemAnswer.safeParse(json)
  if (problem.success) return { ok: false, problem: problem.data }
  throw new AgentUnreachable(`what answers at ${where} is not a Fairlead agent (HTTP ${raw.status})`)
}

/** The answer as the schema reads it. Throws AgentUnreachable when it is something else: another program, or another version. */
export function readAnswer<T>(schema: z.ZodType<T>, json: unknown, { admin }: Pick<AgentConfig, 'admin'>): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue === undefined || issue.path.length === 0 ? 'the answer' : issue.path.join('.')
  throw new AgentUnreachable(
    `what answers at ${formatListen(admin.listen)} is no agent of this version (${field} is not as expected)`,
  )
}

/** The answer, or a CliError (3): an agent that refuses this question is none. */
function answerOf(answer: AgentAnswer): unknown {
  if (answer.ok) return answer.json
  const { code, detail, remedy } = answer.problem
  throw new CliError(3, [`the agent does not answer this: ${detail} (${code})${remedy === null ? '' : `; ${remedy}`}`])
}

export async function askStatus(
  config: AgentConfig,
): Promise<{ readonly json: unknown; readonly status: StatusAnswer }> {
  const json = answerOf(await askAgent(config, { path: '/status' }))
  return { json, status: readAnswer(statusAnswer, json, config) }
}

/** A path as a shell takes it back. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** A command about the same node. */
export const sameNode = (command: string, configFile: string | null): string =>
  configFile === null ? command : `${command} --config ${quoted(configFile)}`

/** Signs of a hash that are enough for people: `accept` finds the state by them. */
export const SHORT_HASH = 12
