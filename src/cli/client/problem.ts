/** What a control plane says when it refuses, as sentences for a terminal. */
import { z } from 'zod'
import { CliError, type ExitCode } from '../io.ts'

/** Read leniently: a proxy in front, or an older control plane, may leave out what ours always sends. */
const refusalWire = z.looseObject({
  code: z.string(),
  detail: z.string().catch(''),
  title: z.string().catch(''),
  remedy: z.string().catch(''),
  requestId: z.string().optional().catch(undefined),
  fields: z
    .array(
      z.object({ field: z.string(), message: z.string(), remedy: z.string().optional(), code: z.string().catch('') }),
    )
    .catch([])
    .default([]),
})
export type RefusalDocument = z.output<typeof refusalWire>

const withoutStop = (text: string): string => text.replace(/\.$/, '')

/** `detail. Remedy` first, then a line for each field. */
export function refusalSentences({ detail, title, remedy, fields }: RefusalDocument): readonly string[] {
  const head = detail === '' ? title : detail
  const first = remedy === '' ? head : `${withoutStop(head)}. ${remedy}`
  const lines = fields.map(({ field, message, remedy: way }) => {
    const text = field === '' ? message : `${field}: ${message}`
    return way === undefined ? text : `${withoutStop(text)}. ${way}`
  })
  // The detail of a body that is not valid says what the fields say.
  return lines.length > 0 ? lines : [first]
}

/** 2: what was asked for is wrong; 1: the answer is no; 3: somebody has to mend something first. */
function exitCodeOf(status: number): ExitCode {
  if (status >= 500) return 3
  return [400, 401, 403, 413, 414, 415, 421, 422, 431].includes(status) ? 2 : 1
}

/** It was understood, and refused. */
export class RefusedError extends CliError {
  readonly status: number
  readonly code: string
  readonly document: RefusalDocument
  constructor(status: number, document: RefusalDocument) {
    super(exitCodeOf(status), refusalSentences(document))
    this.status = status
    this.code = document.code
    this.document = document
  }
}

/** Null when the text is no problem document. */
export function parseRefusal(text: string): RefusalDocument | null {
  try {
    return refusalWire.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}
