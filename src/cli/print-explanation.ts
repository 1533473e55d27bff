/** An explanation for people: the chain, one link a line, the first broken one marked; then why, what to do, and what Traefik got. Pure. */
import { stringify as stringifyYaml } from 'yaml'
import type { ExplanationAnswer } from './agent-answers.ts'
import type { Paint } from './io.ts'
import { keyOf, someOf, whereText } from './route-words.ts'
import { block, clean, labelled, padded, plural, sentence, since, timeText } from './table.ts'
import { paintVerdict } from './terminal.ts'

export type ExplanationPrint = {
  readonly paint: Paint
  readonly width: number | null
  readonly nowMs: number
  /** Signs other than ASCII. */
  readonly unicode: boolean
}

type Step = ExplanationAnswer['chain'][number]

const MARKS = { ascii: { true: 'ok', false: 'NO', null: '-' }, unicode: { true: '✓', false: '✗', null: '·' } } as const

const LABEL = 'entry points'.length

function stepLines(
  step: Step,
  isBroken: boolean,
  names: number,
  { paint, width, nowMs, unicode }: ExplanationPrint,
): string[] {
  const marks = unicode ? MARKS.unicode : MARKS.ascii
  const mark = marks[`${step.ok}`]
  const markWidth = Math.max(...Object.values(marks).map(({ length }) => length))
  const age = since(step.at, nowMs)
  const label = `  ${padded(mark, markWidth)}  ${padded(clean(step.step), names)}`
  const detail = `${clean(step.detail)}${age === null ? '' : ` (${age} ago)`}`
  const [first = '', ...more] = labelled(label, detail, label.length, width)
  const rest = first.slice(label.length)
  const colour = step.ok === true ? 'green' : step.ok === false ? 'red' : 'dim'
  return [
    `${paint(colour, label)}${rest}`,
    ...more,
    ...(isBroken
      ? [`${' '.repeat(label.length + 2)}${paint('bold', unicode ? '↑ here it stops' : '^ here it stops')}`]
      : []),
  ]
}

/** How long the change took that made it live, and where the time went. */
function timings({ timingsMs }: ExplanationAnswer, { width }: ExplanationPrint): string[] {
  const live = timingsMs?.live
  if (timingsMs === null || live === undefined) return []
  const stages = Object.entries(timingsMs).flatMap(([stage, ms]) =>
    stage === 'live' ? [] : [`${clean(stage)} ${timeText(ms)}`],
  )
  return block(`live ${timeText(live)} after the change was read: ${stages.join(', ')}`, 2, width)
}

function chain(explanation: ExplanationAnswer, print: ExplanationPrint): string[] {
  const names = Math.max(0, ...explanation.chain.map(({ step }) => step.length))
  return [
    ...explanation.chain.flatMap(step => stepLines(step, step.step === explanation.brokenAt, names, print)),
    ...timings(explanation, print),
  ]
}

function why(explanation: ExplanationAnswer, { width }: ExplanationPrint): string[] {
  const { message, reason, remedy, notes, others, verdict } = explanation
  const rows: [string, string][] = [
    ['why', `${sentence(message)}${reason === '' ? '' : ` ${reason}`}`],
    ...(remedy === '' || verdict === 'live' ? [] : [['what to do', sentence(remedy)] as [string, string]]),
    ...notes.map((note): [string, string] => ['note', note]),
    ...others.map((other): [string, string] => [
      'same id',
      `${other.origin} has a route of this id too: ${other.verdict}, ${other.message}`,
    ]),
  ]
  return rows.flatMap(([label, text]) => labelled(label, clean(text), LABEL, width))
}

function traefik({ routers, routerCount }: ExplanationAnswer, { width }: ExplanationPrint): string[] {
  const lines = routers.flatMap(({ name, entryPoints, rule, service, priority, status, errors }) => [
    ...labelled('router', `${clean(name)}${status === null ? '' : `, ${clean(status)}`}`, LABEL, width),
    ...labelled('entry points', someOf(entryPoints, 6), LABEL, width),
    ...(rule === null
      ? []
      : labelled('rule', `${clean(rule)}${priority === null ? '' : `, priority ${priority}`}`, LABEL, width)),
    ...labelled('service', clean(service), LABEL, width),
    ...errors.flatMap(error => labelled('Traefik says', clean(error), LABEL, width)),
  ])
  const more = routerCount - routers.length
  return more <= 0 ? lines : [...lines, `and ${plural(more, 'router')} more like these`]
}

/** Lines to read; what Traefik got at the end, in the form of its own documentation. */
export function explanationLines(explanation: ExplanationAnswer, print: ExplanationPrint): string[] {
  const { paint, nowMs } = print
  const age = since(explanation.since, nowMs)
  const verdict = clean(explanation.verdict)
  const title = [
    paint('bold', clean(keyOf(explanation))),
    whereText(explanation, null),
    `${paintVerdict(paint, verdict)}${age === null ? '' : ` for ${age}`}`,
  ].filter(part => part !== '')
  const yaml =
    explanation.config === null
      ? []
      : [
          `What Traefik ${explanation.brokenAt === 'served' ? 'gets' : 'got'}:`,
          ...stringifyYaml(explanation.config, { lineWidth: 0 })
            .trimEnd()
            .split('\n')
            .map(line => `  ${clean(line)}`),
        ]
  return [[title.join('  ')], chain(explanation, print), why(explanation, print), traefik(explanation, print), yaml]
    .filter(lines => lines.length > 0)
    .flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}
