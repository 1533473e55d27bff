/**
 * Who this node is to its control plane, and how its requests prove it.
 *
 *   x-signature = base64(Ed25519(key, "agent-request:v2\0<timestamp>\0<METHOD>\0<path and query>\0<raw body>"))
 *
 * The key is made here and never leaves this machine; enrolment sends the public half. Another control plane that signs the same way
 * can be given the identity that it issued, as `identityFile`.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { z } from 'zod'
import { SecretFileError } from '../lib/errors.ts'
import { readSecretFile, writeSecretFile } from '../lib/secret-file.ts'

export type Identity = {
  readonly serverId: string
  /** Null when the control plane that issued it has no id. */
  readonly controlPlaneId: string | null
  /** Ed25519. */
  readonly privateKey: KeyObject
}

export type NewKey = {
  /** PKCS8 PEM. */
  readonly privateKeyPem: string
  /** Base64 of the 32 bytes, as enrolment wants it. */
  readonly publicKey: string
}

export type OutgoingRequest = {
  readonly method: 'GET' | 'POST'
  /** As on the request line. */
  readonly pathAndQuery: string
  /** The bytes as they are sent; empty for GET. */
  readonly body: Uint8Array
}

/** Makes the headers by which a control plane knows this node. One for the whole process: its timestamps only go up. */
export interface RequestAuth {
  readonly kind: 'identity' | 'token' | 'none'
  headers(request: OutgoingRequest): Readonly<Record<string, string>>
}

// Anything else could not stand in a header.
const headerText = z.string().regex(/^[\x21-\x7e]{1,200}$/)

const identityWire = z.object({
  serverId: headerText,
  controlPlaneId: z.string().min(1).max(200).nullish(),
  privateKey: z.string().min(1),
})

export function generateKey(): NewKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { x } = publicKey.export({ format: 'jwk' })
  if (x === undefined) throw new Error('an Ed25519 key without its public half')
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: Buffer.from(x, 'base64url').toString('base64'),
  }
}

const invalid = (path: string, message: string): SecretFileError =>
  new SecretFileError(
    'SECRET_FILE_INVALID',
    path,
    message,
    'Enrol the node again with fairlead enroll, or give { "serverId", "privateKey" } with a PKCS8 PEM key.',
  )

/** The parsers quote what they could not read, and that may be the key: so their errors are not passed on as causes. */
function parseIdentity(path: string, text: string): Identity {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    throw invalid(path, 'is not JSON')
  }
  const parsed = identityWire.safeParse(raw)
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') ?? ''
    throw invalid(
      path,
      field === '' ? 'is not an object with serverId and privateKey' : `${field} is missing or is not one`,
    )
  }
  const { serverId, controlPlaneId } = parsed.data
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey({ key: parsed.data.privateKey, format: 'pem' })
  } catch {
    throw invalid(path, 'privateKey is not a PKCS8 PEM key without a passphrase')
  }
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw invalid(path, `privateKey is of type ${privateKey.asymmetricKeyType ?? 'unknown'}, not ed25519`)
  return { serverId, controlPlaneId: controlPlaneId ?? null, privateKey }
}

/** Throws a SecretFileError when the file is missing, open to others, or not an identity. */
export async function loadIdentity(path: string): Promise<Identity> {
  return parseIdentity(path, await readSecretFile(path))
}

/** Writes the file with mode 0600, whole or not at all. Throws a SecretFileError (SECRET_FILE_EXISTS unless `replace`). */
export async function writeIdentity(
  path: string,
  { serverId, controlPlaneId, privateKey }: Identity,
  { replace }: { readonly replace: boolean },
): Promise<void> {
  const wire = {
    serverId,
    ...(controlPlaneId === null ? {} : { controlPlaneId }),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
  await writeSecretFile(path, `${JSON.stringify(wire, null, 2)}\n`, { replace })
}

/** A bearer token in a file of its own, white space around it dropped. Throws a SecretFileError. */
export async function loadToken(path: string): Promise<string> {
  const token = (await readSecretFile(path)).trim()
  if (!/^[\x21-\x7e]{1,4096}$/.test(token))
    throw new SecretFileError(
      'SECRET_FILE_INVALID',
      path,
      token === '' ? 'is empty' : 'holds more than one word of ASCII signs',
      'Put the token alone into the file.',
    )
  return token
}

export type SignatureInput = OutgoingRequest & {
  readonly privateKey: KeyObject
  readonly serverId: string
  readonly timestampMs: number
}

export type SignatureHeaders = {
  readonly 'x-server-id': string
  readonly 'x-timestamp': string
  readonly 'x-signature': string
}

/** Pure: the same input gives the same signature, as Ed25519 uses no random numbers. */
export function signRequest(input: SignatureInput): SignatureHeaders {
  const timestamp = String(input.timestampMs)
  const head = `agent-request:v2\0${timestamp}\0${input.method}\0${input.pathAndQuery}\0`
  const signature = sign(null, Buffer.concat([Buffer.from(head, 'utf8'), input.body]), input.privateKey)
  return { 'x-server-id': input.serverId, 'x-timestamp': timestamp, 'x-signature': signature.toString('base64') }
}

/** The control plane takes timestamps that are at most so far from its own clock. */
export const SIGNATURE_WINDOW_MS = 60_000

/**
 * A timestamp that is above the last one, as a POST needs. When the clock was set back by more than the control plane's window the last
 * one is useless: it was refused as from the future, or the clock is wrong now, and both are told by the answer.
 */
export function nextTimestamp(lastMs: number, nowMs: number): number {
  return nowMs > lastMs || lastMs - nowMs > SIGNATURE_WINDOW_MS ? nowMs : lastMs + 1
}

/** `now` gives milliseconds since 1970. */
export function createIdentityAuth(identity: Identity, now: () => number): RequestAuth {
  let lastMs = 0
  return {
    kind: 'identity',
    headers(request) {
      lastMs = nextTimestamp(lastMs, Math.trunc(now()))
      return signRequest({
        ...request,
        privateKey: identity.privateKey,
        serverId: identity.serverId,
        timestampMs: lastMs,
      })
    },
  }
}

export const makeTokenAuth = (token: string): RequestAuth => ({
  kind: 'token',
  headers: () => ({ authorization: `Bearer ${token}` }),
})

export const NO_AUTH: RequestAuth = { kind: 'none', headers: () => ({}) }
