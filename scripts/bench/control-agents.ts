/**
 * Many agents in one process, as far as a control plane can tell: each signs, asks, and asks again. Started by control.ts, which it tells
 * when the last of them has been sent something new.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { signRequest } from '../../src/agent/identity.ts'

const PATH = '/api/v1/agent/expected-state'

const startWire = z.object({
  url: z.string(),
  /** `hold`: with `Prefer: wait=25`. `poll`: every so many milliseconds, each beginning at a moment of its own. */
  everyMs: z.number().nullable(),
  nodes: z.array(z.object({ id: z.string(), privateKeyPem: z.string() })),
})

export type StartAgents = z.infer<typeof startWire>
/** Milliseconds since 1970 at which each agent was sent a document, since the last such word. */
export type AgentsSent = { readonly sentAt: readonly number[]; readonly failures: number }

type Asked = { readonly status: number; readonly etag: string | null }

const connections = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

function ask(url: URL, id: string, privateKey: KeyObject, etag: string | null, wait: boolean): Promise<Asked> {
  const signature = signRequest({
    ...{ method: 'GET', pathAndQuery: PATH, body: Buffer.alloc(0) },
    ...{ privateKey, serverId: id, timestampMs: Date.now() },
  })
  const headers = {
    ...signature,
    'accept-encoding': 'gzip',
    ...(etag === null ? {} : { 'if-none-match': etag }),
    ...(wait ? { prefer: 'wait=25' } : {}),
  }
  return new Promise((resolve, reject) => {
    const sent = request({ host: url.hostname, port: url.port, path: PATH, headers, agent: connections }, answer => {
      answer.resume()
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, etag: answer.headers.etag ?? null }))
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

async function runAgent(url: URL, id: string, pem: string, everyMs: number | null, onSent: (ok: boolean) => void) {
  const privateKey = createPrivateKey(pem)
  let etag: string | null = null
  if (everyMs !== null) await delay(Math.random() * everyMs)
  for (;;) {
    const answer: Asked | null = await ask(url, id, privateKey, etag, everyMs === null).catch(() => null)
    if (answer === null || answer.status >= 400) {
      onSent(false)
      await delay(500 + Math.random() * 500)
    } else if (answer.status === 200) {
      etag = answer.etag
      onSent(true)
    }
    if (everyMs !== null) await delay(everyMs)
  }
}

process.once('message', message => {
  const { url, everyMs, nodes } = startWire.parse(message)
  let sentAt: number[] = []
  let failures = 0
  const tell = () => {
    if (sentAt.length + failures > 0) process.send?.({ sentAt, failures } satisfies AgentsSent)
    sentAt = []
    failures = 0
  }
  setInterval(tell, 20)
  for (const { id, privateKeyPem } of nodes)
    void runAgent(new URL(url), id, privateKeyPem, everyMs, ok => {
      if (ok) sentAt.push(Date.now())
      else failures += 1
    })
})
process.once('disconnect', () => process.exit(0))
