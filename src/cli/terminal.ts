/** The terminal that a person sits at, if one does. */
import { createInterface } from 'node:readline/promises'
import type { Io, Paint } from './io.ts'

type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }
type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
type Streams = { readonly stdin: Input; readonly stdout: Output; readonly stderr: Output }

const USUAL_COLUMNS = 80

/** The question goes to stderr, so that an answer that is piped on stays clean. Whoever leaves with Ctrl-C or Ctrl-D has said nothing. */
async function ask({ stdin, stderr }: Streams, question: string): Promise<string | null> {
  const lines = createInterface({ input: stdin, output: stderr, terminal: true })
  try {
    const ended = new Promise<null>(resolve => lines.once('close', () => resolve(null)))
    return await Promise.race([lines.question(question).catch(() => null), ended])
  } finally {
    lines.close()
  }
}

export function terminalIo(streams: Streams): Pick<Io, 'columns' | 'ask'> {
  const { stdin, stdout, stderr } = streams
  return {
    // Some terminals have no size until they are drawn.
    ...(stdout.isTTY === true ? { columns: () => stdout.columns || USUAL_COLUMNS } : {}),
    ...(stdin.isTTY === true && stderr.isTTY === true ? { ask: (question: string) => ask(streams, question) } : {}),
  }
}

/** How wide lines may be; null: as long as they are. `watch` and tests say it by COLUMNS. */
export function lineWidth(io: Io): number | null {
  const columns = io.columns?.() ?? Number(io.env.COLUMNS ?? Number.NaN)
  return Number.isInteger(columns) && columns > 0 ? columns : null
}

/** Whether a terminal shows signs other than ASCII: what is piped on, and a locale that does not say so, gets plain ones. */
export function showsUnicode(io: Io): boolean {
  const locale = io.env.LC_ALL || io.env.LC_CTYPE || io.env.LANG || ''
  return io.columns !== undefined && /utf-?8/i.test(locale)
}

/** The colour of a verdict: green is for what was read back alone. */
export function paintVerdict(paint: Paint, verdict: string, text: string = verdict): string {
  if (verdict === 'live') return paint('green', text)
  if (verdict === 'pending') return paint('dim', text)
  return paint(verdict === 'rejected' || verdict === 'refused' ? 'red' : 'yellow', text)
}
