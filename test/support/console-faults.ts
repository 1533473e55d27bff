/**
 * Faults in front of a control plane: what a request meets before it gets there, or its answer on the way back.
 *
 *   const faults = faultsBefore(rig.control.app.server)
 *   faults.set(({ url = '' }) => url.startsWith('/api/v1/tokens'), FAULTS.cut)
 *   faults.clear()                                            also lets go what was held back
 *
 * The event stream and everything that no fault is for goes through.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { PROBLEM_TYPE } from '../../src/api/problem.ts'
import type { ProblemCode } from '../../src/api/problem-codes.ts'
import { ApiError } from '../../src/control/http/api-error.ts'
import { problemDocument } from '../../src/control/http/problems.ts'

type Listener = (request: IncomingMessage, response: ServerResponse) => void

/** `goOn`: to the control plane. */
export type Fault = (request: IncomingMessage, response: ServerResponse, goOn: () => void) => void

export type Faults = {
  set(isMeant: (request: IncomingMessage) => boolean, fault: Fault): void
  clear(): void
}

const REQUEST_ID = 'req_01946f6c8ab1'

/** As the control plane refuses. */
const refusal =
  (code: ProblemCode, detail: string): Fault =>
  (request, response) => {
    const error = new ApiError(code, detail)
    request.resume()
    response.writeHead(error.status, { 'content-type': PROBLEM_TYPE, 'x-request-id': REQUEST_ID })
    response.end(JSON.stringify(problemDocument(error, REQUEST_ID)))
  }

export const FAULTS = {
  broken: refusal('INTERNAL', 'something went wrong here'),
  noDatabase: refusal('DATABASE_UNAVAILABLE', 'the database does not take part in this now; nothing was changed'),
  notAllowed: refusal('SCOPE_MISSING', 'the token has not the scope admin'),
  notThere: refusal('NOT_FOUND', 'there is no such thing as that'),
  changed: refusal('STALE', 'it is at version 9, and 8 was expected'),
  tooMany: refusal('RATE_LIMITED', 'more than 600 requests in a minute'),
  /** A proxy between that does not reach it. */
  noGateway(request, response) {
    request.resume()
    response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502 Bad Gateway</h1>')
  },
  cut(request) {
    request.socket.destroy()
  },
  /** The answer ends in its middle. */
  half(request, response) {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"items":[{"id":"', () => request.socket.destroy())
  },
  unreadable(request, response) {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[{"id":')
  },
  /** It is done, and the answer is lost on its way back. */
  lost(request, response, goOn) {
    const cut = (): ServerResponse => {
      request.socket.destroy()
      return response
    }
    response.write = () => false
    response.end = cut
    goOn()
  },
} satisfies Readonly<Record<string, Fault>>

/** Until `clear`. */
export const HELD: Fault = () => undefined

export function faultsBefore(server: Server): Faults {
  const rules: { readonly isMeant: (request: IncomingMessage) => boolean; readonly fault: Fault }[] = []
  let held: (() => void)[] = []
  const listeners = server.listeners('request') as Listener[]
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const goOn = (): void => {
      for (const listener of listeners) listener.call(server, request, response)
    }
    const fault = rules.find(({ isMeant }) => isMeant(request))?.fault
    if (fault === undefined || request.url === '/api/v1/events') goOn()
    else if (fault === HELD) held.push(goOn)
    else fault(request, response, goOn)
  })
  return {
    set: (isMeant, fault) => void rules.push({ isMeant, fault }),
    clear() {
      rules.length = 0
      for (const goOn of held) goOn()
      held = []
    },
  }
}
