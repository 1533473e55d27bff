/** Finding rows in memory: every row has one lower-cased line, and a query is words that all must be in it. */

export type Indexed<Row> = { readonly row: Row; readonly line: string }

/** `fields`: what can be searched of a row; made once for each list, not for each key. */
export function makeIndex<Row>(
  rows: readonly Row[],
  fields: (row: Row) => readonly (string | number | null | undefined)[],
): readonly Indexed<Row>[] {
  return rows.map(row => ({
    row,
    line: fields(row)
      .filter(field => field !== null && field !== undefined)
      .join('\n')
      .toLowerCase(),
  }))
}

/** The rows that hold every word of the query, in their order. An empty query holds for all. */
export function findRows<Row>(index: readonly Indexed<Row>[], query: string): readonly Row[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return index.filter(({ line }) => words.every(word => line.includes(word))).map(({ row }) => row)
}

/** The most alike of `names`, nearest first: for a query that found nothing. None is better than one that has nothing to do with it. */
export function nearestNames(query: string, names: readonly string[], most = 2): readonly string[] {
  const wanted = query.trim().toLowerCase()
  if (wanted === '') return []
  return [...new Set(names)]
    .map(name => ({ name, likeness: likeness(wanted, name.toLowerCase()) }))
    .filter(one => one.likeness >= 0.34)
    .sort((one, other) => other.likeness - one.likeness || (one.name < other.name ? -1 : 1))
    .slice(0, most)
    .map(({ name }) => name)
}

/** Share of pairs of neighbouring signs that both have, of those of the query: a name may go on where the query stops. */
function likeness(query: string, name: string): number {
  const pairs = pairsOf(query)
  const others = new Set(pairsOf(name))
  return pairs.filter(pair => others.has(pair)).length / pairs.length
}

const pairsOf = (text: string): readonly string[] =>
  text.length < 2 ? [text] : Array.from({ length: text.length - 1 }, (_, at) => text.slice(at, at + 2))
