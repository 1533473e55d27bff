import { expect, test } from 'vitest'
import { isTraefik, judgeRequest, type RequestView } from '../../../src/agent/provider/request.ts'

const good: RequestView = { method: 'GET', target: '/traefik', hostAllowed: true, tokenOk: true }

test.each<[string, Partial<RequestView>, number | null]>([
  ['a plain poll', {}, null],
  ['an empty query', { target: '/traefik?' }, null],
  ['a hold in seconds', { target: '/traefik?hold=25s' }, 25_000],
  ['a hold in milliseconds', { target: '/traefik?hold=500ms' }, 500],
])('%s is a poll', (_title, change, holdMs) => {
  expect(judgeRequest({ ...good, ...change })).toEqual({ kind: 'poll', holdMs })
})

const CURL = { 'user-agent': 'curl/8.5.0', accept: '*/*' }

test.each<[string, Readonly<Record<string, string>>, boolean]>([
  ['Traefik as it comes', { 'user-agent': 'Go-http-client/1.1', 'accept-encoding': 'gzip' }, true],
  ['Traefik by another name', { 'user-agent': 'proxy-1', 'accept-encoding': 'gzip' }, true],
  ['Traefik that says what it accepts', { ...CURL, 'user-agent': 'Go-http-client/2.0' }, true],
  ['Traefik that hides all of it', { ...CURL, 'accept-encoding': 'gzip' }, false],
  ['curl', CURL, false],
  ['curl --compressed', { ...CURL, 'accept-encoding': 'deflate, gzip, br, zstd' }, false],
  ['a browser', { 'user-agent': 'Mozilla/5.0', accept: 'text/html', 'accept-encoding': 'gzip, deflate' }, false],
  ['nobody', {}, false],
])('%s is known by how it asks', (_title, headers, known) => {
  expect(isTraefik({ headers })).toBe(known)
})

test('HEAD looks and does not poll', () => {
  expect(judgeRequest({ ...good, method: 'HEAD', target: '/traefik?hold=25s' })).toEqual({ kind: 'look' })
})

const NOT_HERE = (path: string) => ({ status: 404, text: `${path} is not here; the one path is /traefik`, headers: {} })
const badHold = (value: string) => ({
  status: 400,
  text: `hold ${value} is not a time of 1ms to 300s; write it as 25s or 500ms`,
  headers: {},
})

test.each<[string, Partial<RequestView>, string, unknown]>([
  [
    'a foreign host, whatever else is right',
    { hostAllowed: false },
    'refused',
    {
      status: 421,
      text: 'Host is not a loopback name with the port of this endpoint; use http://127.0.0.1:PORT',
      headers: {},
    },
  ],
  ['another path', { target: '/' }, 'refused', NOT_HERE('/')],
  ['a slash too many', { target: '/traefik/' }, 'refused', NOT_HERE('/traefik/')],
  ['an escaped letter', { target: '/%74raefik' }, 'refused', NOT_HERE('/%74raefik')],
  ['an absolute target', { target: 'http://127.0.0.1/traefik' }, 'refused', NOT_HERE('http://127.0.0.1/traefik')],
  ['the star', { method: 'OPTIONS', target: '*' }, 'refused', NOT_HERE('*')],
  [
    'POST',
    { method: 'POST' },
    'refused',
    { status: 405, text: 'POST is not allowed; use GET', headers: { Allow: 'GET, HEAD' } },
  ],
  [
    'a wrong token before a wrong hold',
    { tokenOk: false, target: '/traefik?hold=x' },
    'refused-poll',
    {
      status: 401,
      text: 'the bearer token is missing or wrong; put the one of provider.tokenFile into providers.http.headers of Traefik, as Authorization: Bearer TOKEN',
      headers: { 'WWW-Authenticate': 'Bearer' },
    },
  ],
  ['a hold without unit', { target: '/traefik?hold=25' }, 'refused-poll', badHold('25')],
  ['an empty hold', { target: '/traefik?hold=' }, 'refused-poll', badHold('')],
  ['a hold over five minutes', { target: '/traefik?hold=301s' }, 'refused-poll', badHold('301s')],
  ['a second question mark', { target: '/traefik?hold=25s?x' }, 'refused-poll', badHold('25s?x')],
  ['a bad hold of HEAD', { method: 'HEAD', target: '/traefik?hold=1' }, 'refused', badHold('1')],
  [
    'two holds',
    { target: '/traefik?hold=1s&hold=2s' },
    'refused-poll',
    { status: 400, text: 'hold is given more than once; give it once', headers: {} },
  ],
  [
    'a misspelt parameter',
    { target: '/traefik?hodl=25s' },
    'refused-poll',
    { status: 400, text: 'parameter hodl is unknown; the one there is is hold', headers: {} },
  ],
])('%s is refused', (_title, change, kind, answer) => {
  expect(judgeRequest({ ...good, ...change })).toEqual({ kind, answer })
})
