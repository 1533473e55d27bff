/**
 * The identity of a node on its way into its file.
 *
 *   identity.json.key   the key, before the control plane is asked: so that the disk is known to take it before the token is used up
 *   identity.json       the key and what the control plane said
 *
 * An attempt whose answer was lost leaves the key, and the next one sends the same.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { chown, mkdir, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKey, type Identity, type NewKey, writeIdentity } from '../../agent/identity.ts'
import { errorCode, SecretFileError } from '../../lib/errors.ts'
import { readSecretFile, writeSecretFile } from '../../lib/secret-file.ts'
import { CliError } from '../io.ts'

const pendingFile = (path: string): string => `${path}.key`

function fault(error: unknown): unknown {
  if (error instanceof SecretFileError) return new CliError(3, [`${error.message}. ${error.remedy}`], { cause: error })
  const code = errorCode(error)
  return code === null ? error : new CliError(3, [`the identity cannot be written: ${code}`], { cause: error })
}

/** As root for the service's user: that one owns the folder. */
async function ownAsFolder(path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = await stat(dirname(path))
  if (uid !== 0) await chown(path, uid, gid)
}

function publicHalf(privateKeyPem: string): NewKey | null {
  try {
    const { x } = createPublicKey(createPrivateKey(privateKeyPem)).export({ format: 'jwk' })
    return x === undefined ? null : { privateKeyPem, publicKey: Buffer.from(x, 'base64url').toString('base64') }
  } catch {
    return null
  }
}

/** The key of an attempt that was cut off, or a new one, which is on the disk then. Throws a CliError. */
export async function pendingKey(path: string): Promise<NewKey> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const found = await readSecretFile(pendingFile(path)).then(publicHalf, () => null)
    if (found !== null) return found
    const made = generateKey()
    await writeSecretFile(pendingFile(path), made.privateKeyPem, { replace: true })
    return made
  } catch (error) {
    throw fault(error)
  }
}

export const forgetPendingKey = (path: string): Promise<void> => rm(pendingFile(path), { force: true })

/** Throws a CliError; the key is still beside it then. */
export async function writeNodeIdentity(path: string, identity: Identity): Promise<void> {
  try {
    await writeIdentity(path, identity, { replace: false })
    await ownAsFolder(path)
    await forgetPendingKey(path)
  } catch (error) {
    throw fault(error)
  }
}
