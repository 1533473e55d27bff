import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createDefaultCertificate, type DefaultCertificateStore } from '../../../src/agent/store/default-certificate.ts'
import type { DefaultCertificate } from '../../../src/core/default-certificate.ts'
import { atEnd } from '../../support/at-end.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitFor } from '../../support/wait-for.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const DAY_MS = 86_400_000
const FILE = 'default-certificate.pem'

type Options = { readonly now?: () => number; readonly onRenewed?: () => void; readonly lookEveryMs?: number }

async function started(directory: string, options: Options = {}): Promise<DefaultCertificateStore & { log: string[] }> {
  const log: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void log.push(line) })
  const store = createDefaultCertificate({ directory, logger, now: () => NOW, onRenewed: () => {}, ...options })
  atEnd(() => store.stop())
  await store.start()
  return { ...store, log }
}

function pairOf(store: DefaultCertificateStore): DefaultCertificate {
  const pair = store.current()
  if (pair === null) throw new Error('no certificate')
  return pair
}

describe('the default certificate', () => {
  test('is self-signed, P-256, for a name of nobody', async () => {
    const { certificate, certificateKey } = pairOf(await started(await tempFolder()))
    const read = new X509Certificate(certificate)
    const key = createPrivateKey(certificateKey)
    expect({
      subject: read.subject,
      names: read.subjectAltName,
      selfSigned: read.verify(read.publicKey),
      own: read.checkPrivateKey(key),
      curve: key.asymmetricKeyDetails,
      from: read.validFromDate,
      to: read.validToDate,
    }).toEqual({
      subject: 'CN=FAIRLEAD DEFAULT CERT',
      names: 'DNS:default.fairlead.invalid',
      selfSigned: true,
      own: true,
      curve: { namedCurve: 'prime256v1' },
      from: new Date(NOW - DAY_MS),
      to: new Date(NOW + 365 * DAY_MS),
    })
  })

  test('is kept for the owner alone, and stays', async () => {
    const folder = await tempFolder()
    const first = pairOf(await started(folder))
    expect(((await stat(join(folder, FILE))).mode & 0o777).toString(8)).toBe('600')
    expect(await readdir(folder)).toEqual([FILE])
    expect(pairOf(await started(folder, { now: () => NOW + 300 * DAY_MS }))).toEqual(first)
  })

  test.each<[string, (folder: string) => Promise<unknown>]>([
    ['broken', folder => writeFile(join(folder, FILE), 'no PEM')],
    ['cut short', async folder => writeFile(join(folder, FILE), (await readFile(join(folder, FILE))).subarray(0, 300))],
    ['open to others', folder => chmod(join(folder, FILE), 0o644)],
    [
      'of two pairs',
      async folder => {
        const { certificate } = pairOf(await started(await tempFolder()))
        const { certificateKey } = pairOf(await started(folder))
        await writeFile(join(folder, FILE), `${certificate}${certificateKey}`)
      },
    ],
  ])('that is %s is made anew', async (_case, harm) => {
    const folder = await tempFolder()
    const first = pairOf(await started(folder))
    await harm(folder)
    const second = pairOf(await started(folder))
    expect(second).not.toEqual(first)
    expect(pairOf(await started(folder))).toEqual(second)
  })

  test.each([
    ['ends in less than sixty days', 306 * DAY_MS],
    ['is over', 400 * DAY_MS],
    ['has not begun, the clock was wrong', -10 * DAY_MS],
  ])('that %s is made anew at the start', async (_case, laterMs) => {
    const folder = await tempFolder()
    const first = pairOf(await started(folder))
    expect(pairOf(await started(folder, { now: () => NOW + laterMs }))).not.toEqual(first)
  })

  test('is renewed while the agent runs, and says so', async () => {
    let nowMs = NOW
    const renewals: number[] = []
    const folder = await tempFolder()
    const store = await started(folder, {
      now: () => nowMs,
      lookEveryMs: 5,
      onRenewed: () => void renewals.push(nowMs),
    })
    const first = pairOf(store)
    nowMs += 310 * DAY_MS
    await waitFor(() => renewals.length === 1, { what: 'the renewal' })
    expect(pairOf(store)).not.toEqual(first)
    expect(pairOf(await started(folder, { now: () => nowMs }))).toEqual(pairOf(store))
  })

  test('a disk in the way costs no more than keeping it', async () => {
    const store = await started('/proc/nowhere')
    expect(pairOf(store).certificate).toContain('BEGIN CERTIFICATE')
    expect(store.log.map(line => JSON.parse(line).msg)).toEqual(['default certificate not kept'])
  })

  test('no line of the log quotes the key', async () => {
    const folder = await tempFolder()
    const store = await started(folder)
    const secret = pairOf(store).certificateKey.split('\n')[1] ?? 'none'
    expect(store.log.join()).not.toContain(secret)
  })
})
