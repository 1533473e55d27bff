/** Text for people at a terminal: wrapped to its width, in columns, without a sign that could play tricks with it. */

/**
 * Control and format signs are shown by their number, so that a file's name cannot paint the screen; line feeds stay.
 * Whatever came from outside goes through here before it is printed.
 */
export const clean = (text: string): string =>
  text
    .replaceAll('\r\n', '\n')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, sign =>
      sign === '\n' ? sign : `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`,
    )

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const WIDE =
  /\p{Emoji_Presentation}|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uff01-\uff60]/u

/** Columns that a text takes. */
export function displayWidth(text: string): number {
  // Nearly all of it, and asked for often.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const { segment } of segmenter.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

export const padded = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)))

/** A word that is longer than the line, in pieces: the terminal would break it too, but without the indent. */
function pieces(word: string, width: number): string[] {
  if (displayWidth(word) <= width) return [word]
  const found: string[] = []
  let piece = ''
  for (const { segment } of segmenter.segment(word)) {
    if (piece !== '' && displayWidth(piece) + displayWidth(segment) > width) {
      found.push(piece)
      piece = ''
    }
    piece += segment
  }
  return [...found, piece]
}

const LEAST_WIDTH = 20

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = []
  let current = ''
  for (const word of line.split(' ').flatMap(whole => pieces(whole, width))) {
    const joined = current === '' ? word : `${current} ${word}`
    if (current !== '' && displayWidth(joined) > width) {
      lines.push(current)
      current = word
    } else current = joined
  }
  return [...lines, current]
}

/** @param width null: only where the text has line feeds. Lines that begin with a blank are to be copied, and stay as they are. */
export function wrap(text: string, width: number | null): string[] {
  const lines = text.split('\n')
  if (width === null) return lines
  const room = Math.max(width, LEAST_WIDTH)
  return lines.flatMap(line => (line.startsWith(' ') ? [line] : wrapLine(line, room)))
}

/** Wrapped, with so many blanks before each line. */
export const block = (text: string, indent: number, width: number | null): string[] =>
  wrap(text, width === null ? null : width - indent).map(line => `${' '.repeat(indent)}${line}`)

/** Rows in columns, each as wide as its widest cell, the last one unpadded; two blanks between. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, displayWidth(cell))
  }
  return rows.map(row =>
    row
      .map((cell, i) => padded(cell, widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** `label  text`, the text wrapped beside its label. */
export function labelled(label: string, text: string, labelWidth: number, width: number | null): string[] {
  const [first = '', ...more] = block(text, labelWidth + 2, width)
  return [`${padded(label, labelWidth)}  ${first.slice(labelWidth + 2)}`.trimEnd(), ...more]
}

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
]

/** A time that has passed, as people say it: `61 ms`, `2.1 s`, `18 min`, `3 h`, `12 d`. */
export function timeText(ms: number): string {
  const passed = Math.max(0, ms)
  for (const [name, unit] of UNITS) if (passed >= unit) return `${Math.floor(passed / unit)} ${name}`
  if (passed >= 10_000) return `${Math.floor(passed / 1000)} s`
  return passed >= 1000 ? `${(Math.floor(passed / 100) / 10).toFixed(1)} s` : `${Math.round(passed)} ms`
}

/** How long ago an ISO time was; null when it cannot be read. */
export function since(isoTime: string | null, nowMs: number): string | null {
  const at = isoTime === null ? Number.NaN : Date.parse(isoTime)
  return Number.isNaN(at) ? null : timeText(nowMs - at)
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

/** A sentence of ours with its full stop. One that ends in lines to be copied has none. */
export const sentence = (text: string): string => (text === '' || /[.!?:]$|\n .*$/.test(text) ? text : `${text}.`)
