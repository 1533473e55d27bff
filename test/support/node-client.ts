/**
 * A node as the control plane knows it, without an agent: its key, and requests signed with it.
 *
 *   const node = await enrolledNode(control, 'proxy-1')
 *   const state = await node.get('/agent/expected-state')
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { generateKey, signRequest } from '../../src/agent/identity.ts'
import type { Database } from '../../src/control/db/client.ts'
import { nodes } from '../../src/control/db/schema-nodes.ts'
import type { Ask, Reply } from './control-app.ts'

export type NodeClient = {
  readonly id: string
  readonly name: string
  readonly publicKey: string
  readonly privateKey: KeyObject
  readonly privateKeyPem: string
  /** Headers that prove who asks; the path is the whole one, from `/api/v1` on. */
  sign(method: 'GET' | 'POST', path: string, body?: string, timestampMs?: number): Record<string, string>
  /** Paths below `/api/v1`. */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Reply>
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>
}

type Asks = { readonly inject: Ask; readonly asAdmin: Ask }

/** With a key of its own; it may be known to nobody. */
export function nodeClient(
  { inject }: Pick<Asks, 'inject'>,
  {
    id,
    name = id,
    key = generateKey(),
  }: { readonly id: string; readonly name?: string; readonly key?: ReturnType<typeof generateKey> },
): NodeClient {
  const privateKey = createPrivateKey(key.privateKeyPem)
  let lastMs = 0
  const sign: NodeClient['sign'] = (method, path, body = '', timestampMs) => {
    lastMs = timestampMs ?? Math.max(lastMs + 1, Date.now())
    const parts = { method, pathAndQuery: path, body: Buffer.from(body) }
    return { ...signRequest({ ...parts, privateKey, serverId: id, timestampMs: lastMs }) }
  }
  return {
    ...{ id, name, publicKey: key.publicKey, privateKey, privateKeyPem: key.privateKeyPem, sign },
    get: (path, headers = {}) => inject('GET', path, undefined, { ...sign('GET', `/api/v1${path}`), ...headers }),
    post(path, body, headers = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      return inject('POST', path, text, { ...sign('POST', `/api/v1${path}`, text), ...headers })
    },
  }
}

/** Comes in as a node does. */
export async function enrolledNode(asks: Asks, name: string, nodeName: string | null = null): Promise<NodeClient> {
  const made = await asks.asAdmin('POST', '/enrollment-tokens', { ttlSeconds: 600, nodeName })
  if (made.status !== 201) throw new Error(made.text)
  const key = generateKey()
  const enrolled = await asks.inject('POST', '/agent/enroll', {
    ...{ token: made.json.token, publicKey: key.publicKey, name, version: '0.0.0-test' },
  })
  if (enrolled.status !== 201) throw new Error(enrolled.text)
  return nodeClient(asks, { id: enrolled.json.serverId, name, key })
}

/** Many nodes at once, past the enrolment. */
export async function manyNodes(
  asks: Pick<Asks, 'inject'>,
  database: Pick<Database, 'transaction'>,
  count: number,
): Promise<readonly NodeClient[]> {
  const made = Array.from({ length: count }, (_, i) => nodeClient(asks, { id: `srv_many_${i}`, name: `many-${i}` }))
  await database.transaction(tx =>
    tx
      .insert(nodes)
      .values(made.map(({ id, name, publicKey }) => ({ id, name, publicKey, enrolledEpoch: 1, enrolledRevision: 0 }))),
  )
  return made
}
