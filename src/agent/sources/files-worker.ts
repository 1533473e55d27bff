/**
 * The worker's side of files-parser.ts: parses what it is sent, one file after the other.
 */
import { parentPort } from 'node:worker_threads'
import { parseFile } from './files-parse.ts'
import { type ParserAnswer, type ParserJob, packFile } from './files-parser.ts'

const answer = (message: ParserAnswer): void => parentPort?.postMessage(message)

parentPort?.on('message', ({ bytes, options }: ParserJob) =>
  answer({ kind: 'parsed', parsed: packFile(parseFile(bytes, options)) }),
)
answer({ kind: 'ready' })
