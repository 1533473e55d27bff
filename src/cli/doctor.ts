/** `fairlead doctor`: checks this node, and says what to do about each finding. */
import { diagnose, isHealthy } from '../core/doctor/doctor.ts'
import { type Finding, LEVELS, type Level } from '../core/doctor/facts.ts'
import { defineCommand } from './command.ts'
import { gatherFacts } from './gather-facts.ts'
import { type ExitCode, type Io, type Paint, painter } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { block, clean, labelled, plural, sentence } from './table.ts'
import { lineWidth } from './terminal.ts'

const COLOUR: Readonly<Record<Level, Parameters<Paint>[0]>> = { fault: 'red', warn: 'yellow', note: 'dim', ok: 'green' }
const LABEL = Math.max(...LEVELS.map(level => level.length))

function findingLines({ level, code, message, remedy }: Finding, paint: Paint, width: number | null): string[] {
  const text = level === 'ok' ? clean(sentence(message)) : `${clean(sentence(message))} ${code}`
  const [first = '', ...more] = labelled(level, text, LABEL, width)
  return [
    paint(COLOUR[level], level) + first.slice(level.length),
    ...more,
    ...(remedy === null ? [] : block(clean(sentence(remedy)), LABEL + 4, width)),
  ]
}

function countText(findings: readonly Finding[]): string {
  const of = (level: Level): number => findings.filter(finding => finding.level === level).length
  return `${plural(of('fault'), 'fault')}, ${plural(of('warn'), 'warning')}, ${plural(of('note'), 'note')}, ${of('ok')} in order`
}

async function run(
  named: { config: string | null; staticFile: string | null; json: boolean },
  io: Io,
): Promise<ExitCode> {
  const { config } = await loadAgentConfig(named.config, io)
  const findings = diagnose(await gatherFacts({ config, staticFile: named.staticFile, io }))
  const healthy = isHealthy(findings)
  if (named.json) io.out(`${JSON.stringify({ ok: healthy, findings }, null, 2)}\n`)
  else {
    const paint = painter(io.colour.out)
    const lines = findings.flatMap(finding => findingLines(finding, paint, lineWidth(io)))
    io.out(`${lines.join('\n')}\n\n${paint(healthy ? 'green' : 'bold', countText(findings))}\n`)
  }
  return healthy ? 0 : 1
}

export const doctorCommand = defineCommand({
  name: 'doctor',
  usage: '[options]',
  about: [
    'Checks this node: whether the agent answers and reads its sources; whether Traefik polls it,\nat a good pace, with the right token; its version and API; entry points for the ports of the\npools, and what a restart would cut; ports that the kernel may give away; the state directory,\nfiles with secrets, the clock. Nothing is changed.',
    'A finding is a fault (it does not work), a warn (it works, and will hurt), a note, or ok;\nworst first, each with what to do. As root it can look at all of it.',
  ],
  options: {
    config: CONFIG_OPTION,
    static: { value: 'FILE', help: "Traefik's static configuration (YAML), to be checked as well" },
    json: { value: null, help: 'the findings as JSON' },
  },
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    { what: 'this node', command: 'fairlead doctor --static /etc/traefik/traefik.yaml' },
    {
      what: 'for a program',
      command: `fairlead doctor --json | jq -r '.findings[] | select(.level == "fault") | .code'`,
    },
  ],
  exitCodes: [
    [0, 'no fault and no warning'],
    [1, 'at least one of them'],
    [2, 'bad usage, wrong settings, or a file that cannot be read'],
  ],
  run: (args, io) => run({ config: args.text('config'), staticFile: args.text('static'), json: args.flag('json') }, io),
})
