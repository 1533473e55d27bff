/**
 * What every route may answer beside its own answers, added to its schema as it is registered: from who may call it and what it takes, the
 * frame knows which problems it can cause itself. So the document tells of each status, and no room repeats them.
 */
import type { FastifySchema, RouteOptions } from 'fastify'
import { PROBLEM_TYPE, ProblemDocument } from '../../api/problem.ts'
import { PROBLEM_CODES, type ProblemCode } from '../../api/problem-codes.ts'
import type { App } from './route.ts'

/** Any request can be answered with these. */
const ALWAYS: readonly ProblemCode[] = [
  'REQUEST_MALFORMED',
  'QUERY_INVALID',
  'NOT_FOUND',
  'HOST_UNKNOWN',
  'RATE_LIMITED',
  'INTERNAL',
  'DATABASE_UNAVAILABLE',
  'DATABASE_BUSY',
  'OVERLOADED',
  'STOPPING',
]
const BODY: readonly ProblemCode[] = ['BODY_MALFORMED', 'BODY_TOO_LARGE', 'CONTENT_TYPE_UNSUPPORTED', 'BODY_INVALID']

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Every code that a route may answer with. */
export function problemsOf({
  method,
  config,
  schema,
}: Pick<RouteOptions, 'method' | 'config' | 'schema'>): ProblemCode[] {
  const methods = [method].flat()
  const { access, problems = [] } = config ?? {}
  const codes = new Set<ProblemCode>([...ALWAYS, ...problems])
  const add = (...more: readonly ProblemCode[]): void => more.forEach(code => void codes.add(code))
  if (access !== 'public') add('UNAUTHENTICATED')
  if (schema?.body !== undefined) add(...BODY)
  if (methods.some(one => CHANGES.has(one))) {
    // A body is parsed, and refused, even where none is wanted.
    add(
      'BODY_MALFORMED',
      'BODY_TOO_LARGE',
      'CONTENT_TYPE_UNSUPPORTED',
      'COMMIT_OUTCOME_UNKNOWN',
      'CROSS_ORIGIN',
      'CONFLICT',
    )
    if (access !== 'public' && access !== 'node') {
      if (methods.includes('POST')) add('IDEMPOTENCY_KEY_IN_USE', 'IDEMPOTENCY_KEY_REUSED')
      if (methods.some(one => one === 'PATCH' || one === 'PUT' || one === 'DELETE')) add('STALE')
    }
  }
  if (access !== 'public' && access !== 'node') add('SCOPE_MISSING')
  return [...codes].sort()
}

/** The answers of a route with a problem document for each status that can be one. */
function withProblems(route: RouteOptions): FastifySchema {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of problemsOf(route)) {
    const { status } = PROBLEM_CODES[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const response: Record<string, unknown> = {
    ...(typeof route.schema?.response === 'object' ? route.schema.response : {}),
  }
  // A room that says more of a status keeps its word.
  for (const [status, codes] of byStatus)
    response[status] ??= {
      description: codes.map(code => `\`${code}\` ${PROBLEM_CODES[code].title}.`).join(' '),
      content: { [PROBLEM_TYPE]: { schema: ProblemDocument } },
    }
  return { ...route.schema, response }
}

/** Before the first route. */
export function addDeclarations(app: App): void {
  app.addHook('onRoute', route => {
    if (route.schema?.hide === true) return
    route.schema = withProblems(route)
  })
}
