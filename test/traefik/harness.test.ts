/** What the other tests with a real Traefik lean on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startTcpBackend } from '../support/backends.ts'
import { tcpName } from '../support/clients.ts'
import { offer } from '../support/offer.ts'
import { part } from '../support/parts.ts'
import { startScriptedProvider } from '../support/scripted-provider.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { startTraefik } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

/** A zombie, which nobody in a container may ever collect, counts as ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe.skipIf(!part('traefik'))('a Traefik for tests', () => {
  test('its entry points are those that were asked for', async () => {
    const traefik = await startTraefik({ tcp: 2, udp: 1, entryPoints: { web: {}, dns: { protocol: 'udp' } } })
    const shown = await traefik.get('/api/entrypoints')
    const addresses = traefik.entryPoints.map(({ name, protocol, port }) =>
      expect.objectContaining({ name, address: `127.0.0.1:${port}${protocol === 'udp' ? '/udp' : ''}` }),
    )
    expect(shown).toEqual(expect.arrayContaining(addresses))
    expect([traefik.tcp.length, traefik.udp.length, traefik.entryPoints.length]).toEqual([2, 1, 5])
  })

  test('a restarted one comes back on the same ports', async () => {
    const provider = await startScriptedProvider()
    const traefik = await startTraefik({ endpoint: provider.url, token: 'a-token' })
    const upstream = await startTcpBackend({ name: 'upstream' })
    const [port = 0] = traefik.tcp
    const router = { entryPoints: [`tcp-${port}`], rule: 'HostSNI(`*`)', service: 's', priority: 1 }
    const services = { s: { loadBalancer: { servers: [{ address: upstream.address }] } } }
    expect(await offer(traefik, provider, { tcp: { routers: { r: router }, services } })).toBe('applied')
    expect(await tcpName(port)).toBe('upstream')
    expect(provider.lastHeaders().authorization).toBe('Bearer a-token')
    const first = traefik.pid
    await traefik.restart()
    expect(traefik.pid).not.toBe(first)
    expect(isAlive(first)).toBe(false)
    // It listens before it has asked its provider.
    await waitFor(async () => (await tcpName(port, { timeoutMs: 200 })) === 'upstream', {
      what: 'the route to be back',
    })
  })

  test('a refused body is told from an applied one', async () => {
    const provider = await startScriptedProvider()
    const traefik = await startTraefik({ endpoint: provider.url })
    const outcome = await offer(traefik, provider, { tcp: { bogus: 1 } })
    expect(outcome).toBe('refused: field not found, node: bogus')
  })

  test('a program that is not there is an error', async () => {
    await expect(startTraefik({ binary: '/nonexistent/traefik' })).rejects.toThrow(/nonexistent/)
  })

  test('a wrong static file is an error with its log', async () => {
    const starting = startTraefik({ staticExtra: { entryPoints: { broken: { address: 'nowhere' } } } })
    await expect(starting).rejects.toThrow(/Traefik ended with 1\n(.*\n)*.*nowhere/)
  })

  test.runIf(existsSync('/usr/bin/setpriv'))('it ends with the process that started it', async () => {
    const module = join(import.meta.dirname, '../support/traefik.ts')
    const script = `const { startTraefik } = await import(${JSON.stringify(module)}); console.log((await startTraefik()).pid)`
    const { VITEST: _, ...inherited } = process.env
    // What the killed process cannot clear away itself.
    const env = { ...inherited, TMPDIR: await tempFolder() }
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line))
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await waitFor(() => !isAlive(pid), { what: 'Traefik to end' })
  })
})
