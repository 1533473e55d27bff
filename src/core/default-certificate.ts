/**
 * Whether Traefik's default certificate, the one for names that no other covers, may be ours.
 *
 * Traefik without one makes an RSA key for itself at every change of its configuration, which takes it most of the time of a small change
 * (measured: 79 ms at 200 entry points, and 27 with one). But two providers that name one cancel each other: a user's own would be gone, with
 * one line in Traefik's log (measured with 3.3.6 and 3.7.15). Its API does not show who names one, only which providers there are.
 */

/** `auto`: where Traefik has no other provider. `on`: the operator knows that no other provider names one. */
export const DEFAULT_CERTIFICATE_MODES = ['auto', 'on', 'off'] as const
export type DefaultCertificateMode = (typeof DEFAULT_CERTIFICATE_MODES)[number]

/** PEM, self-signed, for a name that nobody has: it stands for nothing, and its key protects nothing. */
export type DefaultCertificate = { readonly certificate: string; readonly certificateKey: string }

/** As `/api/overview` calls us. */
const OUR_PROVIDER = 'HTTP'

/** @param providers names of those that Traefik has; null, or absent in what an older agent has stored, while they are not known */
export function mayBeDefault(mode: DefaultCertificateMode, providers: readonly string[] | null | undefined): boolean {
  switch (mode) {
    case 'on':
      return true
    case 'off':
      return false
    case 'auto':
      return providers?.length === 1 && providers[0] === OUR_PROVIDER
    default:
      return mode satisfies never
  }
}
