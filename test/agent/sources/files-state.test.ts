import { expect, test } from 'vitest'
import { parseFile, type RoutesFile } from '../../../src/agent/sources/files-parse.ts'
import {
  type Candidate,
  fileLabel,
  heldFromReading,
  makeReading,
  neededQuietMs,
  sameReading,
} from '../../../src/agent/sources/files-state.ts'
import { fileProblem } from '../../../src/core/yaml-document.ts'
import { fileWith } from './files-harness.ts'

const TIMES = { quietMs: 10, settleMs: 150 }

const file = (text: string, label = 'a.yaml'): RoutesFile => {
  const parsed = parseFile(Buffer.from(text), { label, maxRoutes: 100 })
  if (!parsed.ok) throw new Error(parsed.problem.message)
  return parsed.file
}

const good = (text: string): Candidate => ({ kind: 'good', file: file(text) })
const broken = fileProblem('a.yaml', 'line 1, column 1: it is broken', 'Mend it.')
const two = file(fileWith('r1', 'r2'))

const rows: [string, Candidate, RoutesFile | null, boolean, number][] = [
  ['the same routes', good(`# new\n${fileWith('r1', 'r2')}`), two, false, 0],
  ['the same routes in fewer bytes', good(fileWith('r1', 'r2').replaceAll('"', '')), two, false, 0],
  ['a first reading', good(fileWith('r1')), null, false, 10],
  ['one more route', good(fileWith('r1', 'r2', 'r3')), two, false, 10],
  ['a changed route', good(fileWith('r1', 'r2').replace('10.200.1.5', '10.200.1.66')), two, false, 10],
  ['a route less', good(fileWith('r1')), two, false, 150],
  ['another route instead', good(fileWith('r1', 'r2345')), two, false, 150],
  ['a line less', good(fileWith('r1', 'r2').replace(/ +allowCidrs.*\n$/, '')), two, false, 150],
  ['an end in mid-line', good(fileWith('r1', 'r2', 'r3').trimEnd()), two, false, 150],
  ['an end in mid-line at first', good('tcpRoutes: []'), null, false, 150],
  ['JSON without a last line end', good(JSON.stringify({ tcpRoutes: [] })), null, false, 10],
  ['what does not parse', { kind: 'refused', problem: broken }, two, false, 150],
  ['what does not parse, renamed', { kind: 'refused', problem: broken }, two, true, 150],
  ['a file that is gone', { kind: 'gone' }, two, false, 150],
  ['a route less, renamed', good(fileWith('r1')), two, true, 0],
]
test.each(rows)('%s needs its time of quiet', (_name, candidate, held, replaced, ms) => {
  expect(neededQuietMs(candidate, held, replaced, TIMES)).toBe(ms)
})

const held = (label: string, text: string) => ({ label, good: file(text, label), fault: null })

test('the order of files does not change the reading', () => {
  const files = [held('b.yaml', fileWith('r2')), held('a.yaml', fileWith('r1')), held('c.yaml', fileWith('r3'))]
  const reading = makeReading(files)
  expect(makeReading([...files].reverse())).toEqual(reading)
  expect(reading.routes.map(({ route, origin }) => [route.id, origin])).toEqual([
    ['r1', 'a.yaml'],
    ['r2', 'b.yaml'],
    ['r3', 'c.yaml'],
  ])
})

test('no files make an empty reading', () => {
  const { contentHash, revision, ...rest } = makeReading([])
  expect(revision).toBe(contentHash)
  expect(rest).toEqual({
    routes: [],
    problems: [],
    unknownFields: [],
    certificates: [],
    challengeUrl: null,
    removed: [],
    acceptedHash: null,
    epoch: null,
    lists: { http: true, tcp: true, udp: true },
    reportable: false,
    documents: 0,
  })
})

test('unknown fields are counted over all files', () => {
  const reading = makeReading([
    held('a.yaml', `${fileWith('r1')}    note: x\n`),
    held('b.yaml', `${fileWith('r2')}    note: x\nextra: 1\n`),
  ])
  expect(reading.unknownFields).toEqual([
    { field: 'extra', count: 1 },
    { field: 'tcpRoutes.note', count: 2 },
  ])
})

test('a saved reading gives back its files', () => {
  const bad = `${fileWith('r1')}  - id: bad\n    upstreams: []\n    externalPort: none\n`
  const files = [held('a.yaml', bad), { ...held('b.yaml', fileWith('r2')), fault: { ...broken, origin: 'b.yaml' } }]
  const reading = makeReading(files)
  const back = heldFromReading(JSON.parse(JSON.stringify(reading)))
  expect(back.map(({ label, fault, good: kept }) => [label, fault, kept?.hash])).toEqual(
    files.map(({ label, fault, good: kept }) => [label, fault, kept.hash]),
  )
  expect(sameReading(makeReading(back), reading)).toBe(true)
})

test('one spelling or another is the same reading', () => {
  const json = JSON.stringify({
    tcpRoutes: [{ allowCidrs: ['10.0.0.0/8'], externalPort: 10001, upstreams: ['10.200.1.5:5432'], id: 'r1' }],
  })
  expect(makeReading([held('a.yaml', json)]).contentHash).toBe(
    makeReading([held('a.yaml', fileWith('r1'))]).contentHash,
  )
})

test('a file is labelled so that its name is readable', () => {
  expect(
    ['a.yaml', 'caf\u00e9.yaml', 'cafe\u0301.yaml', 'a\nb.yaml', 'a\\u{a}b.yaml', '\u202elmay.yaml'].map(fileLabel),
  ).toEqual([
    'a.yaml',
    'caf\u00e9.yaml',
    'cafe\u0301.yaml',
    'a\\u{a}b.yaml',
    'a\\u{5c}u{a}b.yaml',
    '\\u{202e}lmay.yaml',
  ])
})
