/**
 * The bytes of one routes file -> its routes, or what is wrong with it. The same for the agent's thread and for the worker's.
 */
import { hashContent, type ParseResult, parseRoutesFile } from '../../core/expected-state.ts'
import type { Problem } from '../../core/problem.ts'
import type { Route, RouteMemory, UnknownField } from '../../core/route.ts'
import { decodeUtf8, parseDocumentText } from '../../core/yaml-document.ts'

export type RoutesFile = {
  readonly routes: readonly Route[]
  /** Of single routes: each is rejected alone. */
  readonly problems: readonly Problem[]
  readonly unknownFields: readonly UnknownField[]
  /** Over routes and problems: equal for two spellings of the same. */
  readonly hash: string
  /** Length of the text in bytes; null when it was read by the process before this one. */
  readonly bytes: number | null
  /** It ends in the middle of a line, as a file does whose second half is still to be written. */
  readonly midLine: boolean
}

export type ParsedFile =
  | { readonly ok: true; readonly file: RoutesFile }
  | { readonly ok: false; readonly problem: Problem }

export type ParseFileOptions = {
  /** The name of the file, as problems show it; its ending decides between JSON and YAML. */
  readonly label: string
  readonly maxRoutes: number
}

/** What a file says, whatever the order within it. */
export const hashFile = (routes: readonly Route[], problems: readonly Problem[]): string =>
  hashContent({ routes, problems, certificates: [], challengeUrl: null })

/**
 * Total: never throws.
 * @param memory of the file as it was before
 */
export function parseFile(bytes: Uint8Array, { label, maxRoutes }: ParseFileOptions, memory?: RouteMemory): ParsedFile {
  const decoded = decodeUtf8(bytes, { fileName: label })
  if (!decoded.ok) return decoded
  const document = parseDocumentText(decoded.text, { fileName: label })
  if (!document.ok) return document
  const result: ParseResult = parseRoutesFile(document.value, {
    origin: label,
    maxRoutes,
    ...(memory !== undefined && document.json ? { memory } : {}),
  })
  if (!result.ok) return result
  const { routes, problems, unknownFields, contentHash } = result.state
  // A text in braces is whole when it parses at all: its last sign closes what the first one opened.
  const inBraces = /^\s*[[{]/.test(decoded.text)
  return {
    ok: true,
    file: {
      routes,
      problems,
      unknownFields,
      hash: contentHash,
      bytes: bytes.length,
      midLine: !inBraces && !decoded.text.endsWith('\n'),
    },
  }
}
