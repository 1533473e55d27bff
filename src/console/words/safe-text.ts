/**
 * Text that others wrote: names, host names, words of Traefik. React already keeps it from being HTML; what is left are signs that
 * cannot be seen and signs that turn the reading direction, with which one name can be made to look like another.
 */

/**
 * Everything that Unicode calls a control or format sign (Cc, Cf: direction marks, zero-width signs, soft hyphen, tags), line and
 * paragraph separators, and what is drawn as nothing although it is a letter or a mark (fillers, variation selectors).
 */
const UNSEEN = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}/gu

/** What stands for a sign that cannot be seen. */
export const UNSEEN_MARK = '␣'

/** The text with a mark for each sign that cannot be seen. */
export function withMarks(text: string): string {
  return text.replace(UNSEEN, UNSEEN_MARK)
}

/** The text in at most `most` signs, cut in the middle, where names differ least: `reports-warehou…eu-west-2`. */
export function middleCut(text: string, most: number): string {
  const signs = [...text]
  if (signs.length <= most) return text
  const tail = Math.floor((most - 1) / 2)
  return `${signs.slice(0, most - 1 - tail).join('')}…${signs.slice(signs.length - tail).join('')}`
}

/**
 * A sentence of the agent with its ids made short: `tcp_prt_01a2…0ad9 on tcp-12008`. Which control plane asks is no news, since there is
 * one. The whole id stands elsewhere, to be copied.
 */
export function shortIds(text: string): string {
  return text
    .replace(/\bcp_[0-9a-f]{32}\b/g, 'the control plane')
    .replace(/\b(?:[a-z]+_)+[0-9a-f]{32}\b/g, id => middleCut(id, id.length - 23))
}
