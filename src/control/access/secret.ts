/**
 * Secrets that we hand out: made of 32 random bytes, kept as SHA-256 only. Nothing slower than SHA-256 is needed: nobody guesses 256 bits.
 *
 * An API token is `flt_`, the bytes as base64url, and six signs computed from them: so that a typing error, or a made-up token, is told
 * from a real one without asking the database.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** SHA-256 as hexadecimal digits: what the database keeps of a secret. */
export const hashSecret = (secret: string): string => digest(secret).toString('hex')

/** 43 signs of base64url. */
export const makeSecret = (): string => randomBytes(32).toString('base64url')

const CHECKSUM_LENGTH = 6
const checksum = (text: string): string =>
  digest(`fairlead token\0${text}`).toString('base64url').slice(0, CHECKSUM_LENGTH)

function make(prefix: 'flt' | 'fll'): string {
  const secret = makeSecret()
  return `${prefix}_${secret}${checksum(secret)}`
}

const FORM = /^(flt|fll)_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/

function is(prefix: 'flt' | 'fll', text: string): boolean {
  const [, found, secret, sum] = FORM.exec(text) ?? []
  return found === prefix && secret !== undefined && sum !== undefined && checksum(secret) === sum
}

/** `flt_` and 49 signs. */
export const makeApiToken = (): string => make('flt')

/** Whether the text can be an API token at all. */
export const isApiToken = (text: string): boolean => is('flt', text)

/** The code of a one-time link: `fll_` and 49 signs. */
export const makeLinkCode = (): string => make('fll')

/** Whether the text can be the code of a one-time link at all. */
export const isLinkCode = (text: string): boolean => is('fll', text)

/** Compares two hashes; takes the same time wherever they differ. */
export function sameHash(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}
