/**
 * The token by which the chores on this host are known to the running control plane: in its state directory, for its user alone, made at the
 * first start. It is in no database, so a restored one neither has nor loses it, and each control plane has its own.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SecretFileError } from '../lib/errors.ts'
import { type ReadSecretOptions, readSecretFile, writeSecretFile } from '../lib/secret-file.ts'
import { hashSecret, isApiToken, makeApiToken } from './access/secret.ts'

export const adminTokenFile = (stateDirectory: string): string => join(stateDirectory, 'admin-token')

/** Root does the chores of a service that has a user of its own: then its folder says whose token it is. */
async function ownerFor(stateDirectory: string): Promise<ReadSecretOptions> {
  if (process.geteuid?.() !== 0) return {}
  const found = await stat(stateDirectory).catch(() => null)
  return found === null ? {} : { alsoOf: found.uid }
}

/** Throws a SecretFileError: missing, open to others, or not a token. */
export async function readAdminToken(stateDirectory: string): Promise<string> {
  const path = adminTokenFile(stateDirectory)
  const token = (await readSecretFile(path, await ownerFor(stateDirectory))).trim()
  if (isApiToken(token)) return token
  throw new SecretFileError(
    'SECRET_FILE_INVALID',
    path,
    'holds no token',
    'Remove it: the next start of the control plane makes another.',
  )
}

/** Makes it when there is none. Gives its SHA-256 as hexadecimal digits. */
export async function ensureAdminToken(stateDirectory: string): Promise<string> {
  try {
    return hashSecret(await readAdminToken(stateDirectory))
  } catch (error) {
    if (!(error instanceof SecretFileError) || error.code !== 'SECRET_FILE_MISSING') throw error
  }
  try {
    await writeSecretFile(adminTokenFile(stateDirectory), `${makeApiToken()}\n`, { replace: false })
  } catch (error) {
    // Another process in the same folder was quicker.
    if (!(error instanceof SecretFileError) || error.code !== 'SECRET_FILE_EXISTS') throw error
  }
  return hashSecret(await readAdminToken(stateDirectory))
}
