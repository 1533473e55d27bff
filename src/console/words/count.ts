/** Numbers as people read them. */

/** `1 377`: groups of three, parted by a narrow space that does not break. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f')
}

/** `1 service`, `2 services`, `3 entries`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`
}

/** `a`, `a and b`, `a, b and c`, `a, b and 4 more`. */
export function listed(names: readonly string[], most = 3): string {
  const [first, ...rest] = names
  if (first === undefined) return ''
  if (rest.length === 0) return first
  if (names.length <= most) return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
  return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`
}
