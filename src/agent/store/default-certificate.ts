/**
 * The certificate that Traefik shows for names that no other covers: made once, kept in the state directory (0600), renewed in time.
 *
 * It is kept so that a restart of the agent changes no byte of what is served. It is for a name that nobody can have, signed by itself:
 * whoever has its key can do no more than anybody who makes such a certificate. A disk that is in the way costs no more than a new one.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { DefaultCertificate } from '../../core/default-certificate.ts'
import { SecretFileError } from '../../lib/errors.ts'
import { readSecretFile, writeSecretFile } from '../../lib/secret-file.ts'

const FILE = 'default-certificate.pem'

/** What people see who connect with a name that no route has. */
const COMMON_NAME = 'FAIRLEAD DEFAULT CERT'
/** RFC 6761: never a host of anybody, so no resolver finds that it has a certificate already. */
const DNS_NAME = 'default.fairlead.invalid'

const DAY_MS = 86_400_000
const VALID_MS = 365 * DAY_MS
const RENEW_BEFORE_MS = 60 * DAY_MS
/** Clocks of clients may be behind. */
const BACKDATED_MS = DAY_MS

export interface DefaultCertificateStore {
  /** Reads it, or makes one when there is none, it is broken, or it ends soon. Looks again each day. Never rejects. */
  start(): Promise<void>
  /** Null before the start. */
  current(): DefaultCertificate | null
  stop(): void
}

export type DefaultCertificateOptions = {
  /** The state directory; it is there and locked. */
  readonly directory: string
  readonly logger: Logger
  readonly onRenewed: () => void
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly lookEveryMs?: number
}

const BLOCK = (kind: string): RegExp => new RegExp(`-----BEGIN ${kind}-----[^-]+-----END ${kind}-----`)

/** The pair in the text, or null when there is none, its parts do not belong together, or it does not hold for long enough. */
function readPair(text: string, nowMs: number): DefaultCertificate | null {
  const certificate = BLOCK('CERTIFICATE').exec(text)?.[0]
  const certificateKey = BLOCK('PRIVATE KEY').exec(text)?.[0]
  if (certificate === undefined || certificateKey === undefined) return null
  try {
    const read = new X509Certificate(certificate)
    if (!read.checkPrivateKey(createPrivateKey(certificateKey))) return null
    const begun = read.validFromDate.getTime() <= nowMs
    const holds = read.validToDate.getTime() - nowMs > RENEW_BEFORE_MS
    return begun && holds ? { certificate: `${certificate}\n`, certificateKey: `${certificateKey}\n` } : null
  } catch {
    return null
  }
}

async function makePair(nowMs: number): Promise<DefaultCertificate> {
  // Loading it takes longer than making a certificate, and that is done once a year.
  const { generate } = await import('selfsigned')
  const { cert, private: key } = await generate([{ name: 'commonName', value: COMMON_NAME }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(nowMs - BACKDATED_MS),
    notAfterDate: new Date(nowMs + VALID_MS),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: DNS_NAME }] }],
  })
  return { certificate: `${cert.trim()}\n`, certificateKey: `${key.trim()}\n` }
}

export function createDefaultCertificate(options: DefaultCertificateOptions): DefaultCertificateStore {
  const { directory, onRenewed, now = Date.now, lookEveryMs = DAY_MS } = options
  const log = options.logger.child({ component: 'default certificate' })
  const path = join(directory, FILE)
  let pair: DefaultCertificate | null = null
  let timer: NodeJS.Timeout | null = null
  let stopped = false

  async function kept(): Promise<DefaultCertificate | null> {
    try {
      return readPair(await readSecretFile(path), now())
    } catch (error) {
      const code = error instanceof SecretFileError ? error.code : 'UNKNOWN'
      if (code !== 'SECRET_FILE_MISSING') log.warn({ code, path }, 'default certificate not read, another is made')
      return null
    }
  }

  async function make(): Promise<void> {
    pair = await makePair(now())
    try {
      await writeSecretFile(path, `${pair.certificate}${pair.certificateKey}`, { replace: true })
      log.info({ path }, 'default certificate made')
    } catch (error) {
      log.warn(
        { code: error instanceof SecretFileError ? error.code : 'UNKNOWN', path },
        'default certificate not kept',
      )
    }
  }

  function lookLater(): void {
    if (stopped) return
    timer = setTimeout(() => void renew(), lookEveryMs)
    timer.unref()
  }

  async function renew(): Promise<void> {
    try {
      if (pair === null || readPair(`${pair.certificate}${pair.certificateKey}`, now()) === null) {
        await make()
        if (!stopped) onRenewed()
      }
    } catch (err) {
      log.error({ err }, 'default certificate not renewed')
    }
    lookLater()
  }

  return {
    async start() {
      try {
        pair = await kept()
        if (pair === null) await make()
      } catch (err) {
        log.error({ err }, 'default certificate not made')
      }
      lookLater()
    },
    current: () => pair,
    stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
