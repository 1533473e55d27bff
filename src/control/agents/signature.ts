/**
 * Whether a request was signed by the node that it names. Pure but for the keys that it keeps.
 *
 *   x-signature = base64(Ed25519(key, "agent-request:v2\0<timestamp>\0<METHOD>\0<path and query>\0<raw body>"))
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'

/** How far the timestamp may be from our clock. */
export const SIGNATURE_WINDOW_MS = 60_000

export type SignedRequest = {
  readonly serverId: string
  /** Milliseconds since 1970. */
  readonly timestampMs: number
  readonly signature: Buffer
  readonly method: string
  /** As on the request line. */
  readonly pathAndQuery: string
  /** As it came; empty for GET. */
  readonly body: Buffer
}

export type RequestParts = {
  readonly method: string
  readonly pathAndQuery: string
  readonly body: Buffer
  /** The values of a header, each as it came. */
  readonly header: (name: string) => readonly string[]
}

const SERVER_ID = /^[\x21-\x7e]{1,200}$/
/** Also that of a machine that believes it is 1970: it is told so. */
const TIMESTAMP = /^(?:0|[1-9]\d{0,14})$/
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/

/** Null when the three headers are not there once each, or are not what they should be. */
export function readSignedRequest({ header, ...parts }: RequestParts): SignedRequest | null {
  const one = (name: string, form: RegExp): string | null => {
    const [value, ...more] = header(name)
    return value !== undefined && more.length === 0 && form.test(value) ? value : null
  }
  const serverId = one('x-server-id', SERVER_ID)
  const timestamp = one('x-timestamp', TIMESTAMP)
  const signature = one('x-signature', SIGNATURE)
  if (serverId === null || timestamp === null || signature === null) return null
  return { ...parts, serverId, timestampMs: Number(timestamp), signature: Buffer.from(signature, 'base64') }
}

export const signedBytes = ({
  timestampMs,
  method,
  pathAndQuery,
  body,
}: Omit<SignedRequest, 'serverId' | 'signature'>) =>
  Buffer.concat([Buffer.from(`agent-request:v2\0${timestampMs}\0${method}\0${pathAndQuery}\0`, 'utf8'), body])

/** A key of nobody, for ids of nobody: whether an id exists must not be told by the time that the answer takes. */
const NOBODY = '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='

/** Throws when these are not the 32 bytes of a key. */
export const publicKeyOf = (base64: string): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(base64, 'base64').toString('base64url') },
    format: 'jwk',
  })

const MAX_KEYS = 20_000

/** Says whether the signature is that of a public key (Base64); null: of a node that does not exist. Keeps the keys that it has read. */
export function createVerifier(): (request: SignedRequest, publicKey: string | null) => boolean {
  const keys = new Map<string, KeyObject>()
  return (request, publicKey) => {
    const text = publicKey ?? NOBODY
    let key = keys.get(text)
    if (key === undefined) {
      key = publicKeyOf(text)
      if (keys.size >= MAX_KEYS) keys.clear()
      keys.set(text, key)
    }
    return verify(null, signedBytes(request), key, request.signature) && publicKey !== null
  }
}
