/** The agent: whether it answers, reads its sources, and is polled by Traefik at a good pace. */
import { type AgentStatus, type DoctorFacts, type Finding, fault, note, ok, warn } from './facts.ts'

const iso = (ms: number): string => new Date(ms).toISOString()
const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`
const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`

/** The longest hold that a poll may ask for, and some. */
const LONGEST_SILENCE_MS = 320_000
/** A Traefik that has just started may still be on its first poll. */
const FIRST_POLL_MS = 30_000
// Traefik's own default is a throttle of two seconds; below this much nobody would notice.
const SLOW_APPLY_MS = 1_000
// Above, Traefik itself takes its time: 0.6 s for a thousand routes with entry points of their own (measured).
const MANY_ROUTES = 1_000

const COMPARE =
  "Compare providers.http.endpoint in Traefik's static configuration with provider.listen of the agent, then look into Traefik's log: fairlead doctor --static FILE does the first."

function pollSilence(facts: DoctorFacts): number {
  const { staticFile } = facts
  const holdMs = staticFile !== null && 'provider' in staticFile ? (staticFile.provider?.holdMs ?? null) : null
  return holdMs === null ? LONGEST_SILENCE_MS : 3 * holdMs + 20_000
}

function pollFindings(facts: DoctorFacts, status: AgentStatus): Finding[] {
  const { lastPollAt, unauthorized, tokenRefused, strangers, polled } = status.traefik
  const { nowMs } = facts.clock
  const traefikStart = facts.traefik.kind === 'read' ? facts.traefik.startedAt : null
  const token =
    'Write the token into the static configuration again: fairlead static-config --provider-token-file FILE --out /etc/traefik/traefik.yaml, and restart Traefik.'
  if (tokenRefused)
    return [
      fault(
        'TRAEFIK_TOKEN_WRONG',
        `Traefik polls without the right token: ${plural(unauthorized, 'poll was', 'polls were')} refused${lastPollAt === null ? ', none was taken' : `, the last one that was taken came ${seconds(nowMs - lastPollAt)} ago`}`,
        token,
      ),
    ]
  if (lastPollAt === null && !polled) {
    if (strangers !== null)
      return [
        fault(
          'TRAEFIK_NEVER_POLLED',
          `Traefik has never polled this agent since the agent started; ${strangers.name} has, ${plural(strangers.polls, 'time', 'times')}, and that is no Traefik`,
          `${COMPARE} If it is Traefik, take User-Agent, Accept and Accept-Encoding out of providers.http.headers: by them it is known.`,
        ),
      ]
    if (status.startedAt !== null && nowMs - status.startedAt < FIRST_POLL_MS)
      return [
        note(
          'TRAEFIK_NOT_POLLED_YET',
          'Traefik has not polled yet; the agent has just started',
          'After a silence Traefik asks again within 20 s.',
        ),
      ]
    return [fault('TRAEFIK_NEVER_POLLED', 'Traefik has never polled this agent since the agent started', COMPARE)]
  }
  const refused =
    unauthorized === 0
      ? []
      : [
          warn(
            'POLLS_WITHOUT_TOKEN',
            `${plural(unauthorized, 'poll', 'polls')} came without the right token since the agent started`,
            `Whoever asks has another token than provider.tokenFile. If it is a second Traefik: ${token}`,
          ),
        ]
  if (lastPollAt === null) return [ok('TRAEFIK_POLLS', 'Traefik polls: it waits for news now'), ...refused]
  const silence = nowMs - lastPollAt
  if (traefikStart !== null && traefikStart > lastPollAt && nowMs - traefikStart > FIRST_POLL_MS)
    return [
      fault('TRAEFIK_SILENT', `Traefik was started at ${iso(traefikStart)} and has not polled since`, COMPARE),
      ...refused,
    ]
  if (silence > pollSilence(facts))
    return [fault('TRAEFIK_SILENT', `Traefik has not polled for ${seconds(silence)}`, COMPARE), ...refused]
  return [ok('TRAEFIK_POLLS', `Traefik polls, last ${seconds(Math.max(0, silence))} ago`), ...refused]
}

function strangerFindings({ traefik: { strangers, polled } }: AgentStatus): Finding[] {
  if (strangers === null || !polled) return []
  return [
    note(
      'OTHER_CLIENTS',
      `${strangers.name} has asked for the configuration ${plural(strangers.polls, 'time', 'times')}, and is no Traefik: it counts for nothing`,
    ),
  ]
}

/** A Traefik takes milliseconds; a large one, or one with a long throttle, some seconds. */
const UNSEEN_MS = 60_000

function shownFindings({ clock: { nowMs }, traefik }: DoctorFacts, { unseenSince }: AgentStatus): Finding[] {
  if (unseenSince === null || nowMs - unseenSince < UNSEEN_MS || traefik.kind !== 'read') return []
  return [
    fault(
      'NOT_SHOWN',
      `the configuration was fetched ${seconds(nowMs - unseenSince)} ago, and the Traefik that is read does not show it`,
      'Perhaps traefik.api is the API of another Traefik than the one that polls: ss -tlnp and ss -tnp name the processes. Else its log says why: "Error while building configuration".',
    ),
  ]
}

function routesFindings({ routes, notLive, problems, held }: AgentStatus): Finding[] {
  return [
    ...problems.map(({ origin, message, remedy }) =>
      fault(
        'DOCUMENT_INVALID',
        `${origin} cannot be used: ${message}; its last good content, if there was any, goes on serving`,
        remedy,
      ),
    ),
    ...(held === 0
      ? []
      : [
          warn(
            'REMOVALS_HELD',
            `the guard holds ${plural(held, 'removal', 'removals')}; those routes go on serving`,
            'fairlead status names them, and the command that lets them go.',
          ),
        ]),
    // What users ask for is no fault of the node: fairlead status ends with 1 for it, and this does not.
    ...(notLive === 0
      ? [ok('ROUTES', routes === 0 ? 'there are no routes' : `every route is live, or on its way: ${routes}`)]
      : [
          note(
            'ROUTES_NOT_LIVE',
            `${notLive} of ${plural(routes, 'route is', 'routes are')} not live`,
            'fairlead status names them first, each with its reason and what to do.',
          ),
        ]),
  ]
}

function paceFindings({ traefik, routes }: AgentStatus): Finding[] {
  const { holdShortened, pollers, lastApplyMs } = traefik
  const findings: Finding[] = []
  if (holdShortened !== null)
    findings.push(
      warn(
        'POLL_TIMEOUT_SHORT',
        `Traefik gives up on polls before its hold of ${seconds(holdShortened.askedMs)} is over, so they are held for ${seconds(holdShortened.effectiveMs)}`,
        `Give it a pollTimeout that is longer than the hold, and restart it:\n  providers:\n    http:\n      pollTimeout: 40s`,
      ),
    )
  if (pollers > 1)
    findings.push(
      warn(
        'SEVERAL_POLLERS',
        `${pollers} clients poll this agent at once, and only one Traefik is read back`,
        'Run one Traefik with each agent; stop the other one, or give it an agent of its own.',
      ),
    )
  if (lastApplyMs !== null && lastApplyMs > SLOW_APPLY_MS && routes < MANY_ROUTES)
    findings.push(
      note(
        'APPLY_SLOW',
        `Traefik took ${seconds(lastApplyMs)} to apply the last configuration; for so few routes its throttle seems long`,
        'Set it, and restart Traefik:\n  providers:\n    providersThrottleDuration: 100ms',
      ),
    )
  return findings
}

/** Then much of what is said here is about another node. */
function settingsFindings({ settings }: DoctorFacts, { node, traefik, sources }: AgentStatus): Finding[] {
  const different = [
    ...(node === settings.node ? [] : [`node is ${node} there and ${settings.node} here`]),
    ...(traefik.api === settings.api
      ? []
      : [`traefik.api is ${traefik.api ?? 'none'} there and ${settings.api ?? 'none'} here`]),
    ...(settings.sourceFault === null ? [] : [`it has ${sources.length} sources there and none here`]),
  ]
  if (different.length === 0) return []
  return [
    warn(
      'SETTINGS_DIFFER',
      `the agent that answers runs with other settings than these: ${different.join('; ')}`,
      'Name its file with --config, give this command the same FAIRLEAD_ variables, or let the agent read its file again: systemctl reload fairlead-agent.',
    ),
  ]
}

export function agentFindings(facts: DoctorFacts): readonly Finding[] {
  const { agent, settings, commandVersion } = facts
  if (agent.kind === 'silent')
    return [
      ...(settings.sourceFault === null
        ? []
        : [fault('NO_SOURCE', settings.sourceFault, 'The agent does not start without one.')]),
      fault(
        'AGENT_SILENT',
        agent.message,
        'Look whether it runs: systemctl status fairlead-agent. Traefik goes on with what it has.',
      ),
    ]
  const { status } = agent
  const sources = status.sources.map(({ name, routes, fault: found }) => {
    if (found === null) return ok('SOURCE_READ', `the source ${name} is read`)
    const what = `the source ${name} cannot be read: ${found.message}`
    return routes === null
      ? fault('SOURCE_FAULT', `${what}; nothing was read from it so far`, found.remedy)
      : warn('SOURCE_FAULT', `${what}; its last good state goes on serving`, found.remedy)
  })
  const otherVersion =
    status.version === commandVersion
      ? []
      : [
          note(
            'VERSIONS_DIFFER',
            `the agent that runs is ${status.version}, and this command is ${commandVersion}`,
            'Restart the agent: systemctl restart fairlead-agent. Traefik goes on meanwhile.',
          ),
        ]
  return [
    ok('AGENT_ANSWERS', `the agent ${status.version} answers`),
    ...settingsFindings(facts, status),
    ...otherVersion,
    ...sources,
    ...routesFindings(status),
    ...pollFindings(facts, status),
    ...shownFindings(facts, status),
    ...strangerFindings(status),
    ...paceFindings(status),
  ]
}
