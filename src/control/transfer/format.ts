/**
 * The file that `fairlead control export` writes: one JSON text a line.
 *
 *   {"format":"fairlead-export","version":1,"schema":4,"controlPlaneId":"cp_...","tables":[{"name":"projects","columns":["id",...],"rows":3},...]}
 *   ["projects",{"id":"prj_...",...}]
 *   {"end":true,"rows":3,"sha256":"..."}                                        of every line before, each with its end
 *
 * Rows are what PostgreSQL says of them and are never taken apart here, so that no number loses a digit on the way.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'

export const FORMAT = 'fairlead-export'
export const FORMAT_VERSION = 1

const name = z.string().regex(/^[a-z_]{1,63}$/)

export const headerWire = z.object({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  fairlead: z.string(),
  exportedAt: z.string(),
  from: z.enum(['embedded', 'server']),
  /** Migrations that the tables had seen. */
  schema: z.int().min(1),
  controlPlaneId: z.string(),
  epoch: z.int(),
  revision: z.int(),
  tables: z.array(z.object({ name, columns: z.array(name).min(1), rows: z.int().min(0) })),
})
export type ExportHeader = z.output<typeof headerWire>

const endWire = z.object({ end: z.literal(true), rows: z.int(), sha256: z.string() })

export const rowLine = (table: string, row: string): string => `["${table}",${row}]`

/** The table and the row as PostgreSQL wrote it; null for a line that is something else. */
export function parseRowLine(line: string): { readonly table: string; readonly row: string } | null {
  const found = /^\["([a-z_]+)",(\{.*\})\]$/s.exec(line)
  return found === null ? null : { table: found[1] ?? '', row: found[2] ?? '' }
}

/** Sums up lines as they go by. */
export function createSum() {
  const hash = createHash('sha256')
  let rows = 0
  return {
    add(line: string): void {
      hash.update(`${line}\n`)
    },
    row(line: string): void {
      rows++
      hash.update(`${line}\n`)
    },
    end: (): string => JSON.stringify({ end: true, rows, sha256: hash.digest('hex') }),
  }
}

/** The file is not an export, not whole, or not for this version. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
  readonly remedy: string
  constructor(message: string, remedy: string) {
    super(message)
    this.remedy = remedy
  }
}

const AGAIN = 'Export it again, and copy the file whole.'

function parseHeader(line: string | undefined): ExportHeader {
  let raw: unknown
  try {
    raw = JSON.parse(line ?? '')
  } catch {
    throw new ImportError('this is no export of a control plane', 'Name a file that fairlead control export has made.')
  }
  const parsed = headerWire.safeParse(raw)
  if (parsed.success) return parsed.data
  const version = z.object({ format: z.literal(FORMAT), version: z.number() }).safeParse(raw)
  if (version.success && version.data.version !== FORMAT_VERSION)
    throw new ImportError(
      `the export has format ${version.data.version}, and this program reads ${FORMAT_VERSION}`,
      'Import it with the version of Fairlead that made it, or a newer one.',
    )
  throw new ImportError('this is no export of a control plane', 'Name a file that fairlead control export has made.')
}

/** Reads all of it, and gives the header of one that is whole. Throws an ImportError. */
export async function verifyExport(lines: AsyncIterable<string>): Promise<ExportHeader> {
  const sum = createSum()
  let header: ExportHeader | null = null
  let end: string | null = null
  const counts = new Map<string, number>()
  for await (const line of lines) {
    if (end !== null) throw new ImportError('the export goes on behind its end', AGAIN)
    if (header === null) {
      header = parseHeader(line)
      sum.add(line)
      continue
    }
    const row = parseRowLine(line)
    if (row === null) {
      end = line
      continue
    }
    counts.set(row.table, (counts.get(row.table) ?? 0) + 1)
    sum.row(line)
  }
  if (header === null) throw new ImportError('the file is empty', 'Name a file that fairlead control export has made.')
  let told: z.output<typeof endWire> | null = null
  try {
    told = endWire.safeParse(JSON.parse(end ?? '')).data ?? null
  } catch {
    // It is cut off.
  }
  if (told === null || end === null) throw new ImportError('the export is not whole: its end is missing', AGAIN)
  const own = endWire.parse(JSON.parse(sum.end()))
  if (own.sha256 !== told.sha256 || own.rows !== told.rows)
    throw new ImportError('the export was changed or damaged: its checksum does not fit', AGAIN)
  for (const { name: table, rows } of header.tables)
    if ((counts.get(table) ?? 0) !== rows) throw new ImportError(`the export has not all rows of ${table}`, AGAIN)
  return header
}
