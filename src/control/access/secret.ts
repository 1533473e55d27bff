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

/** `flt_` and 49 signs. */
export function makeApiToken(): string {
  const secret = makeSecret()
  return `flt_${secret}${checksum(secret)}`
}

const API_TOKEN = /^flt_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/

/** Whether the text can be an API token at all. */
export function isApiToken(text: string): boolean {
  const [, secret, sum] = API_TOKEN.exec(text) ?? []
  return secret !== undefined && sum !== undefined && checksum(secret) === sum
}

/** Compares two hashes; takes the same time wherever they differ. */
export function sameHash(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}
