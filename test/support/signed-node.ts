/**
 * A node that signs its requests, as an agent does, for tests through `inject`.
 *
 *   const node = signedNode('srv_1')
 *   await fleet.node('srv_1', { publicKey: node.publicKey })
 *   expect((await node.post(control, '/agent/status', body)).status).toBe(204)
 */
import { createPrivateKey } from 'node:crypto'
import { createIdentityAuth, generateKey } from '../../src/agent/identity.ts'
import type { ControlApp, Reply } from './control-app.ts'

export type SignedNode = {
  readonly publicKey: string
  /** Below `/api/v1`. */
  post(control: ControlApp, path: string, body: unknown): Promise<Reply>
}

export function signedNode(serverId: string): SignedNode {
  const { privateKeyPem, publicKey } = generateKey()
  const identity = { serverId, controlPlaneId: null, privateKey: createPrivateKey(privateKeyPem) }
  const auth = createIdentityAuth(identity, () => Date.now())
  return {
    publicKey,
    post(control, path, body) {
      const text = JSON.stringify(body)
      const request = { method: 'POST', pathAndQuery: `/api/v1${path}`, body: Buffer.from(text) } as const
      return control.inject('POST', path, text, auth.headers(request))
    },
  }
}
