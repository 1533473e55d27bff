/**
 * Results that are used again as long as nothing that they follow from is another: a document of ten thousand routes differs from the one
 * before it in one of them.
 *
 * Nobody sees the difference but the clock: the same input gives the same result, made anew or not. What is kept goes with its key.
 */

/** Keeps the last result for each object, with the text of what else it was made of. */
export function rememberLast<K extends object, T>(): (key: K, rest: string, make: () => T) => T {
  const kept = new WeakMap<K, { readonly rest: string; readonly value: T }>()
  return (key, rest, make) => {
    const known = kept.get(key)
    if (known !== undefined && known.rest === rest) return known.value
    const value = make()
    kept.set(key, { rest, value })
    return value
  }
}

/** Values by a text, of which those are kept that were asked for since the turn before the last one. */
export interface TextMemory<T> {
  get(text: string): T | undefined
  set(text: string, value: T): void
  /** What has not been asked for since the last turn is forgotten. */
  turn(): void
}

export function createTextMemory<T>(): TextMemory<T> {
  let now = new Map<string, T>()
  let before: ReadonlyMap<string, T> = new Map()
  return {
    get(text) {
      const value = now.get(text) ?? before.get(text)
      if (value !== undefined) now.set(text, value)
      return value
    },
    set(text, value) {
      now.set(text, value)
    },
    turn() {
      before = now
      now = new Map()
    },
  }
}
