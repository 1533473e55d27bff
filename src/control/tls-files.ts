/** The certificate and key of the control plane, read again when one of the two files is another. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Clock } from '../lib/clock.ts'
import { errorCode } from '../lib/errors.ts'
import type { TlsMaterial } from './listener.ts'

export type TlsFilesErrorCode = 'TLS_FILE_UNREADABLE' | 'TLS_FILE_INVALID'

/** The files cannot be used. Nothing of a key is in the message. */
export class TlsFilesError extends Error {
  override readonly name = 'TlsFilesError'
  readonly code: TlsFilesErrorCode
  readonly remedy: string
  constructor(code: TlsFilesErrorCode, message: string, remedy: string) {
    super(message)
    this.code = code
    this.remedy = remedy
  }
}

type Files = { readonly certFile: string; readonly keyFile: string }

async function readText(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new TlsFilesError(
      'TLS_FILE_UNREADABLE',
      `${key} ${path} cannot be read (${errorCode(error) ?? 'unknown error'})`,
      'Correct the path, or make it readable for the user of the control plane.',
    )
  }
}

/** Both, and made for each other. Throws a TlsFilesError. */
export async function readTlsFiles({ certFile, keyFile }: Files): Promise<TlsMaterial> {
  const [cert, key] = [await readText('tls.certFile', certFile), await readText('tls.keyFile', keyFile)]
  const invalid = (message: string, remedy: string) => new TlsFilesError('TLS_FILE_INVALID', message, remedy)
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(cert)
  } catch {
    throw invalid(`tls.certFile ${certFile} holds no certificate`, 'Give a PEM file: the certificate, then its chain.')
  }
  let fits: boolean
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    throw invalid(`tls.keyFile ${keyFile} holds no private key`, 'Give a PEM file with a key that has no passphrase.')
  }
  if (!fits) throw invalid(`tls.keyFile ${keyFile} is not the key of tls.certFile ${certFile}`, 'Name a pair.')
  return { cert, key }
}

export type TlsWatchOptions = {
  readonly files: Files
  readonly apply: (material: TlsMaterial) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly intervalMs?: number
}

export type TlsWatch = {
  /** Reads them now, whether they have changed or not. */
  readonly reload: () => Promise<void>
  readonly stop: () => Promise<void>
}

const INTERVAL_MS = 5_000

const stamp = async (path: string): Promise<string> => {
  const { ino, size, mtimeMs } = await stat(path)
  return `${ino} ${size} ${mtimeMs}`
}

/** Two that do not fit each other, as between the two writes of a renewal, leave the old ones in use. */
export async function watchTlsFiles(options: TlsWatchOptions): Promise<TlsWatch> {
  const { files, apply, clock, intervalMs = INTERVAL_MS } = options
  const logger = options.logger.child({ component: 'tls' })
  const aborter = new AbortController()
  const now = (): Promise<string> =>
    Promise.all([stamp(files.certFile), stamp(files.keyFile)]).then(
      both => both.join(),
      error => errorCode(error) ?? 'unknown error',
    )
  let seen = await now()
  let complained = false

  async function reload(): Promise<void> {
    try {
      apply(await readTlsFiles(files))
      complained = false
      logger.info('certificate is read anew')
    } catch (err) {
      if (!complained) logger.error({ err }, 'certificate cannot be read anew, the old one stays in use')
      complained = true
    }
  }

  async function loop(): Promise<void> {
    while (!aborter.signal.aborted) {
      await clock.sleep(intervalMs, aborter.signal).catch(() => {})
      if (aborter.signal.aborted) return
      const found = await now()
      if (found === seen && !complained) continue
      seen = found
      await reload()
    }
  }

  const running = loop()
  return {
    reload,
    async stop() {
      aborter.abort(new Error('stopped'))
      await running
    },
  }
}
