/** Rows in the order of `keys`; rows without a place come last. Pure. */
export function inOrder<Row>(
  rows: readonly Row[],
  keys: readonly string[],
  keyOf: (row: Row) => string,
): readonly Row[] {
  const places = new Map(keys.map((key, at) => [key, at]))
  const placeOf = (row: Row): number => places.get(keyOf(row)) ?? Number.POSITIVE_INFINITY
  return rows
    .map((row, at) => ({ row, at }))
    .sort((one, other) => {
      const [place, otherPlace] = [placeOf(one.row), placeOf(other.row)]
      return place === otherPlace ? one.at - other.at : place - otherPlace
    })
    .map(({ row }) => row)
}
