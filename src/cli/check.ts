/** `fairlead check`: every route of files or saved states, accepted or why not, without serving anything. */
import type { RouteOutcome } from '../core/compile.ts'
import { type Problem, routeLabel } from '../core/problem.ts'
import { REASONS, type Verdict } from '../core/verdict.ts'
import { defineCommand } from './command.ts'
import { type CompiledStates, compileStates } from './compile-states.ts'
import { makeLocator } from './entry-places.ts'
import { type ExitCode, type Io, painter } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { problemText, type UnknownFieldNote, unknownFieldNotes, unknownFieldText } from './print-problems.ts'
import { type ReadStates, readStates } from './read-states.ts'

/** `place`: where an entry without an id stands, such as `tcpRoutes[3]`. */
type LocatedProblem = Problem & { readonly place: string | null }

type Outcome = {
  readonly read: ReadStates
  readonly accepted: readonly RouteOutcome[]
  readonly problems: readonly LocatedProblem[]
  readonly unknownFields: readonly UnknownFieldNote[]
}

/** A document that is no state outweighs routes that are not accepted: nobody knows what it would have said. */
const exitCode = ({ read, problems }: Outcome): ExitCode => (read.faults.length > 0 ? 2 : problems.length > 0 ? 1 : 0)

function judge(read: ReadStates, { compiled, problems }: CompiledStates): Outcome {
  const placeOf = makeLocator(read.documents.map(({ places }) => places))
  return {
    read,
    accepted: compiled.outcomes.filter(({ problem }) => problem === null),
    problems: problems.map(problem => ({ ...problem, place: placeOf(problem) })),
    unknownFields: read.documents.flatMap(unknownFieldNotes),
  }
}

function countText({ read, accepted, problems }: Outcome): string {
  // A route with three faults is one route; one without an id is told apart by its place.
  const routes = new Map<string, Verdict>()
  for (const [i, problem] of problems.entries()) {
    const name =
      problem.routeId === null
        ? `${problem.origin} ${problem.place ?? i}`
        : `${problem.origin} ${routeLabel(problem)} ${REASONS[problem.code].verdict}`
    routes.set(name, REASONS[problem.code].verdict)
  }
  const verdicts = [...routes.values()]
  const others = [...new Set(verdicts)]
    .sort()
    .map(verdict => `${verdicts.filter(one => one === verdict).length} ${verdict}`)
  const files = read.documents.length
  const bad = read.faults.length === 0 ? '' : `, ${read.faults.length} not read`
  return `routes: ${[`${accepted.length} accepted`, ...others].join(', ')}; files: ${files}${bad}`
}

function printText(outcome: Outcome, io: Io): void {
  const paint = painter(io.colour.out)
  for (const fault of outcome.read.faults) io.out(`${problemText(fault, paint)}\n`)
  for (const problem of outcome.problems) io.out(`${problemText(problem, paint, problem.place)}\n`)
  const notes = [
    ...outcome.unknownFields.map(unknownFieldText),
    ...outcome.accepted.flatMap(({ key, candidate, notes, degraded }) =>
      [...notes, ...(degraded === null ? [] : [degraded.message])].map(note => `${candidate.origin}: ${key}: ${note}`),
    ),
  ]
  for (const note of notes) io.out(`${paint('dim', 'note')}  ${note}\n`)
  if (notes.length > 0) io.out('\n')
  io.out(`${paint(exitCode(outcome) === 0 ? 'green' : 'bold', countText(outcome))}\n`)
}

const withVerdict = <T extends Problem>(problem: T) => ({ verdict: REASONS[problem.code].verdict, ...problem })

function printJson(outcome: Outcome, io: Io): void {
  const { read, accepted, problems, unknownFields } = outcome
  const answer = {
    ok: exitCode(outcome) === 0,
    documents: read.documents.map(({ fileName, kind, state }) => ({ fileName, kind, contentHash: state.contentHash })),
    accepted: accepted.map(({ key, candidate, entryPoints, routers, notes, degraded }) => ({
      key,
      origin: candidate.origin,
      entryPoints,
      routers,
      notes,
      degraded: degraded === null ? null : withVerdict(degraded),
    })),
    problems: [...read.faults.map(fault => ({ ...fault, place: null })), ...problems].map(withVerdict),
    unknownFields,
  }
  io.out(`${JSON.stringify(answer, null, 2)}\n`)
}

export const checkCommand = defineCommand({
  name: 'check',
  usage: 'PATH... [options]',
  about: [
    'Reads routes files, directories of them (*.yaml, *.yml, *.json) and saved states of a\ncontrol plane, and tells of every route whether this node would accept it; if not, why, and\nwhat to do. Nothing is served and nothing is changed. Several paths are judged together, so\ntwo routes that claim one port are found.',
    'Ports and policy come from the settings of the agent.',
  ],
  options: {
    config: CONFIG_OPTION,
    json: { value: null, help: 'the answer as JSON' },
  },
  positionals: { min: 1, max: Number.POSITIVE_INFINITY, name: 'PATH' },
  examples: [
    { what: 'the routes of this node', command: 'fairlead check /etc/fairlead/routes.d' },
    { what: 'a file, before it is copied there', command: 'fairlead check db.yaml /etc/fairlead/routes.d' },
    { what: 'for a program', command: "fairlead check --json routes.d | jq '.problems[].message'" },
  ],
  exitCodes: [
    [0, 'every route is accepted'],
    [1, 'a route is rejected, or conflicts with another'],
    [2, 'a file cannot be read or is not a state; or bad usage'],
  ],
  run: async (args, io) => {
    const { config } = await loadAgentConfig(args.text('config'), io)
    const read = await readStates(args.positionals, io.cwd, config.policy.maxRoutes)
    const options = { config, ownAddresses: io.ownAddresses(), nowMs: io.now(), version: null }
    const outcome = judge(read, compileStates(read.documents, options))
    if (args.flag('json')) printJson(outcome, io)
    else printText(outcome, io)
    return exitCode(outcome)
  },
})
