/**
 * What another control plane sends beside its routes: certificates with their keys, and where ACME challenges are answered.
 *
 * No problem quotes a key, or any part of an entry but its domain.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { hostName } from './fields.ts'
import { type Problem, printable, printableAddress } from './problem.ts'
import { isRecord, issueToRefusal } from './refusal.ts'

export type Certificate = { readonly domain: string; readonly certificate: string; readonly certificateKey: string }

export const certificateWire = z.object({
  domain: hostName,
  certificate: z.string().max(262_144),
  certificateKey: z.string().max(65_536),
})

/** One entry of the list: a certificate with its key, or why it is left out. The domain's routes are served all the same. */
export function parseCertificate(raw: unknown, index: number, origin: string): Certificate | Problem {
  const domain = isRecord(raw) && typeof raw.domain === 'string' ? printable(raw.domain) : null
  const fault = (message: string, remedy: string, field = ''): Problem => ({
    code: 'FIELD_INVALID',
    protocol: null,
    routeId: null,
    field: `traefik.certificates[${index}]${field === '' ? '' : `.${field}`}`,
    value: domain,
    message,
    remedy,
    origin,
  })
  if (!isRecord(raw))
    return fault('an entry of certificates is not an object', 'Give domain, certificate and certificateKey.')
  const parsed = certificateWire.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const refusal = issue === undefined ? null : issueToRefusal(issue, raw)
    const remedy = 'Give domain, certificate and certificateKey; the last two as PEM.'
    return fault(refusal?.message ?? 'the entry does not fit', refusal?.remedy ?? remedy, refusal?.field)
  }
  const { certificate, certificateKey } = parsed.data
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(certificateKey)))
      return fault('the key does not belong to the certificate', 'Issue the certificate again.')
  } catch {
    // The cause may quote key material, so it is not passed on.
    return fault('the certificate or its key is not PEM', 'Issue the certificate again.')
  }
  return { ...parsed.data, certificate: normalisePem(certificate), certificateKey: normalisePem(certificateKey) }
}

const normalisePem = (pem: string): string => `${pem.replaceAll('\r\n', '\n').trim()}\n`

/** The origin of the control plane that answers challenges, null when there is none, or why it cannot be read. */
export function parseChallengeRoute(raw: unknown, origin: string): string | Problem | null {
  if (raw === undefined || raw === null) return null
  const text = isRecord(raw) ? raw.controlPlaneUrl : undefined
  if (typeof text === 'string' && text.length <= 2000 && URL.canParse(text)) {
    const url = new URL(text)
    if ((url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '')
      return url.origin
  }
  return {
    code: 'FIELD_INVALID',
    protocol: null,
    routeId: null,
    field: 'traefik.challengeRoute.controlPlaneUrl',
    value: typeof text === 'string' ? printableAddress(text) : null,
    message: 'the challenge route has no URL of a control plane',
    remedy: 'Write it as https://control.example.com, without a user name, or leave challengeRoute out.',
    origin,
  }
}
