/** Which known name somebody may have meant. */

/** Edits (insert, delete, replace, swap of neighbours) between two words: optimal string alignment. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

// Case, hyphens and underscores are what people mix up first, so they cost nothing.
const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_]/g, '')

/**
 * The name of `known` nearest to `word`, or null when none is near: at most a third of its letters differ, and never more than `most`.
 * Between equals the earlier one.
 */
export function nearest(word: string, known: Iterable<string>, most = 3): string | null {
  const wanted = plain(word)
  if (wanted.length > 100) return null
  const allowed = Math.min(most, Math.max(1, Math.floor(wanted.length / 3)))
  let best: string | null = null
  let bestDistance = allowed + 1
  for (const name of known) {
    const found = distance(wanted, plain(name))
    if (found < bestDistance) {
      best = name
      bestDistance = found
    }
  }
  return best
}
