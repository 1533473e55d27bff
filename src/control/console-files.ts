/**
 * The console, as it was built: read once, held in memory, sent with what makes browsers keep it.
 *
 *   /assets/NAME-HASH.js   for ever: another content has another name
 *   any other file         asked for again each time, by its ETag
 *   any other path         index.html, for whoever navigates: the console knows its own places
 *
 * Only what is in the table can be sent, so no path leads out of the folder.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ControlDeps } from './deps.ts'
import type { App } from './http/route.ts'

const compress = promisify(brotliCompress)

/** Beside the sources in a checkout, beside the compiled code in a package. */
const FOLDERS = ['../../dist/console', '../console'].map(path => fileURLToPath(new URL(path, import.meta.url)))

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
}

const IMMUTABLE = 'public, max-age=31536000, immutable'
const REVALIDATE = 'no-cache'
/** What is smaller gains nothing. */
const LEAST_COMPRESSED = 1_024
const INDEX = '/index.html'

export type ConsoleFile = {
  readonly type: string
  readonly etag: string
  readonly cacheControl: string
  readonly body: Buffer
  /** Null where it would not be smaller. */
  readonly brotli: Buffer | null
}

export type ConsoleFiles = ReadonlyMap<string, ConsoleFile>

async function readOne(path: string, name: string): Promise<ConsoleFile> {
  const body = readFileSync(path)
  const type = TYPES[extname(name)] ?? 'application/octet-stream'
  const packed =
    body.length < LEAST_COMPRESSED || /^(?:image\/(?!svg)|font\/)/.test(type)
      ? null
      : await compress(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } })
  return {
    type,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`,
    cacheControl: name.startsWith('/assets/') ? IMMUTABLE : REVALIDATE,
    body,
    brotli: packed !== null && packed.length < body.length ? packed : null,
  }
}

/** Every file below the folder, by the path of its URL; null when there is no console in it. */
export async function readConsoleFiles(folder: string): Promise<ConsoleFiles | null> {
  if (!existsSync(join(folder, 'index.html'))) return null
  const files = new Map<string, ConsoleFile>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'manifest.json' || entry.name.startsWith('.')) continue
    const path = join(entry.parentPath, entry.name)
    const name = `/${relative(folder, path).split(sep).join('/')}`
    files.set(name, await readOne(path, name))
  }
  return files
}

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Fairlead</title>
<h1>The console is not built</h1>
<p>The control plane runs, and its interface answers below <code>/api/v1</code>. The pages of the console are not there:
build them with <code>node scripts/build-console.ts</code>, then start the control plane again.</p></html>
`

const wantsPage = ({ headers }: FastifyRequest): boolean => (headers.accept ?? '').includes('text/html')
const takesBrotli = ({ headers }: FastifyRequest): boolean => /\bbr\b/.test(String(headers['accept-encoding'] ?? ''))

function sendFile(request: FastifyRequest, reply: FastifyReply, file: ConsoleFile): FastifyReply {
  const { type, etag, cacheControl, body, brotli } = file
  reply.headers({ etag, 'cache-control': cacheControl, vary: 'accept-encoding' })
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  reply.type(type)
  if (brotli === null || !takesBrotli(request)) return reply.send(body)
  return reply.header('content-encoding', 'br').send(brotli)
}

/** At the root, below everything else. `folder`: for tests. */
export function registerConsole(app: App, _deps: ControlDeps, folder?: string): void {
  const found = (folder === undefined ? FOLDERS : [folder]).find(path => existsSync(join(path, 'index.html')))
  // Read when the server is made ready, so that a start does not wait for it twice.
  let files: ConsoleFiles | null = null
  app.addHook('onReady', async () => {
    files = found === undefined ? null : await readConsoleFiles(found)
  })
  app.get('/*', { config: { access: 'public' }, schema: { hide: true } }, (request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const isApi = path === '/api' || path.startsWith('/api/')
    const file = files?.get(path === '/' ? INDEX : path)
    if (file !== undefined) return sendFile(request, reply, file)
    if (isApi || !wantsPage(request) || path.startsWith('/assets/')) return reply.callNotFound()
    const index = files?.get(INDEX)
    if (index !== undefined) return sendFile(request, reply, index)
    return reply.code(503).header('cache-control', 'no-store').type('text/html; charset=utf-8').send(NOT_BUILT)
  })
}
