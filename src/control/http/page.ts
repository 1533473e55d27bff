/** Pages of a list. A cursor holds the sorting key of the last item, so that new and deleted items elsewhere shift nothing. */
import { ApiError } from './api-error.ts'

/** Opaque for callers: what comes after these values in the order of the list. */
export const makeCursor = (...key: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(key)).toString('base64url')

/** The values in the cursor; null without one. Throws an ApiError for what is no cursor of this list. */
export function readCursor(cursor: string | undefined, length = 1): readonly string[] | null {
  if (cursor === undefined) return null
  const key = parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  if (!Array.isArray(key) || key.length !== length || !key.every(isKeyPart))
    throw new ApiError('CURSOR_INVALID', 'the cursor is not one that this list gave out')
  return key.map(String)
}

const isKeyPart = (value: unknown): value is string | number =>
  (typeof value === 'string' && value.length <= 300 && !value.includes('\0')) || Number.isSafeInteger(value)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** From `limit + 1` rows: a page of `limit`, and the cursor of the next one when there is more. */
export function takePage<T>(
  rows: readonly T[],
  limit: number,
  cursorOf: (row: T) => string,
): { items: T[]; nextCursor: string | null } {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}
