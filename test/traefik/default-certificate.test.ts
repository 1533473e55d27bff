/** Who shows the certificate for names that no other covers: us where nobody else can, and never in the way of a user's own. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { startHttpBackend } from '../support/backends.ts'
import { selfSigned } from '../support/certificates.ts'
import { tlsPeerCertificate } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const OURS = 'FAIRLEAD DEFAULT CERT'
const TRAEFIKS = 'TRAEFIK DEFAULT CERT'
const CANCELLED = 'Default TLS Store defined in multiple providers'

type Certificates = { readonly named?: string; readonly byDefault?: string }

/** A folder for Traefik's file provider with a certificate for a name, or one by default. */
async function fileProvider({ named, byDefault }: Certificates): Promise<string> {
  const folder = join(await tempFolder(), 'dynamic')
  await mkdir(folder)
  const pair = async (name: string) => {
    const { cert, key } = await selfSigned(name)
    return { certFile: cert, keyFile: key }
  }
  const tls = {
    ...(named === undefined ? {} : { certificates: [await pair(named)] }),
    ...(byDefault === undefined ? {} : { stores: { default: { defaultCertificate: await pair(byDefault) } } }),
  }
  await writeFile(join(folder, 'tls.yml'), JSON.stringify({ tls }))
  return folder
}

async function startNode(certificates: Certificates | null, tls: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const web = await startHttpBackend({ name: 'web' })
  const folder = certificates === null ? null : await fileProvider(certificates)
  const rig = await startRig({
    entryPoints: { web: {}, websecure: {} },
    settings: { tls },
    ...(folder === null ? {} : { staticExtra: { providers: { file: { directory: folder } } } }),
    files: { 'web.json': { routes: [{ id: 'app', domain: 'app.example.com', upstreams: [{ url: web.address }] }] } },
  })
  await rig.verdict('http/app', 'live')
  await rig.applied()
  return rig
}

/** What is shown for a route's name, for a name that nobody has, and for none. */
async function shown(rig: Rig, names: readonly (string | null)[] = ['app.example.com', 'z.example.com', null]) {
  const port = rig.traefik.port('websecure')
  return Promise.all(names.map(name => tlsPeerCertificate(port, name)))
}

const untilShown = (rig: Rig, certificate: string): Promise<unknown> =>
  waitFor(async () => (await shown(rig)).every(name => name === certificate), { what: certificate, timeoutMs: 20_000 })

const body = async (rig: Rig): Promise<string> => (await fetch(rig.endpoint.replace(/\?.*/, ''))).text()

describe.skipIf(!part('traefik') || !part('openssl'))('the default certificate', () => {
  test('is ours where Traefik has no other provider', async () => {
    const rig = await startNode(null)
    await untilShown(rig, OURS)
    // A restart of the agent leaves it, and every byte, as it was.
    const before = await body(rig)
    await rig.stopAgent()
    await rig.startAgent()
    await rig.verdict('http/app', 'live')
    expect(await body(rig)).toBe(before)
  })

  test("is the user's own where another provider names one", async () => {
    const rig = await startNode({ byDefault: 'users.example.com', named: 'named.example.com' })
    await untilShown(rig, 'users.example.com')
    expect(await shown(rig, ['named.example.com'])).toEqual(['named.example.com'])
    expect(await body(rig)).not.toContain('"tls":{"stores"')
    expect(rig.traefik.log()).not.toContain(CANCELLED)
  })

  test('gives way to a provider that Traefik is restarted with', async () => {
    const rig = await startNode(null)
    await untilShown(rig, OURS)
    const settings = JSON.parse(await readFile(rig.traefik.staticFile, 'utf8'))
    settings.providers.file = { directory: await fileProvider({ byDefault: 'users.example.com' }) }
    await writeFile(rig.traefik.staticFile, JSON.stringify(settings))
    await rig.traefik.restart()
    // A Traefik that is back within moments may poll before anybody could ask it what other providers it has: then theirs is cancelled for
    // as long as that takes, and it is theirs that stays.
    await untilShown(rig, 'users.example.com')
    await rig.verdict('http/app', 'live')
    expect(await body(rig)).not.toContain('"tls":{"stores"')
    expect(await shown(rig)).toEqual(['users.example.com', 'users.example.com', 'users.example.com'])
  })

  test('comes back with a Traefik that is restarted without others', async () => {
    const rig = await startNode(null)
    await untilShown(rig, OURS)
    await rig.traefik.restart()
    await untilShown(rig, OURS)
    await rig.verdict('http/app', 'live')
  })

  test('is ours beside others when the settings say so', async () => {
    const rig = await startNode({ named: 'named.example.com' }, { defaultCertificate: 'on' })
    await untilShown(rig, OURS)
    expect(await shown(rig, ['named.example.com'])).toEqual(['named.example.com'])
  })

  test("is Traefik's when the settings say off", async () => {
    const rig = await startNode(null, { defaultCertificate: 'off' })
    expect(await shown(rig)).toEqual([TRAEFIKS, TRAEFIKS, TRAEFIKS])
    expect(await body(rig)).not.toContain('BEGIN')
  })
})
