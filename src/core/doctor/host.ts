/** The machine: the folder of the state, files with secrets, the clock. */
import { type DoctorFacts, type FileFacts, type Finding, fault, note, ok, warn } from './facts.ts'

const OTHERS_MAY_WRITE = 0o022
const OTHERS_MAY_ANYTHING = 0o077
// The last few generations of a large state, and a new one beside them.
const TIGHT_BYTES = 256 * 1024 * 1024
const FULL_BYTES = 16 * 1024 * 1024
/** The control plane takes signatures within a minute of its own time. */
const SIGNATURE_WINDOW_MS = 60_000
const SKEW_MS = 10_000
// The kernel tells times of processes in hundredths, and start times are rounded.
const START_SLACK_MS = 5_000

export const modeText = (mode: number): string => mode.toString(8).padStart(4, '0')
/** A path as a shell takes it back. */
export const quoted = (path: string): string =>
  /^[\w./@:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`

function sizeText(bytes: number): string {
  const gigabytes = bytes / 1024 ** 3
  return gigabytes >= 1 ? `${Math.floor(gigabytes)} GB` : `${Math.floor(bytes / 1024 ** 2)} MB`
}

function spaceFindings(path: string, freeBytes: number | null): Finding[] {
  if (freeBytes === null || freeBytes >= TIGHT_BYTES) return []
  const make = freeBytes < FULL_BYTES ? fault : warn
  return [
    make(
      'STATE_DISK_FULL',
      `there are ${sizeText(freeBytes)} left for the state directory ${path}`,
      'Make room. The agent goes on in memory, but after a restart it comes up with the last state that it could save.',
    ),
  ]
}

function stateFindings({ stateDirectory, agent }: DoctorFacts): Finding[] {
  const { path, file, freeBytes } = stateDirectory
  if (file.kind === 'missing')
    return agent.kind === 'answers'
      ? [
          fault(
            'STATE_DIRECTORY_MISSING',
            `the state directory ${path} is not there, although the agent runs`,
            `Look whether its disk is mounted: mount. After a restart the agent would begin with nothing.`,
          ),
        ]
      : [
          note(
            'STATE_DIRECTORY_MISSING',
            `the state directory ${path} is not there; the agent makes it at its first start`,
          ),
        ]
  if (file.kind === 'unreadable')
    return [
      note(
        'STATE_DIRECTORY_UNKNOWN',
        `the state directory ${path} cannot be looked at by this user (${file.code})`,
        'Run this as root.',
      ),
    ]
  if (file.isDirectory === false)
    return [
      fault(
        'STATE_DIRECTORY_INVALID',
        `${path} is no directory`,
        'Move the file away, or set state.directory to a folder.',
      ),
    ]
  if ((file.mode & OTHERS_MAY_WRITE) !== 0)
    return [
      fault(
        'STATE_DIRECTORY_WRITABLE_BY_OTHERS',
        `the state directory ${path} has mode ${modeText(file.mode)}, so others may put files into it; the agent refuses to start with it`,
        `chmod 0700 ${quoted(path)}`,
      ),
    ]
  const open =
    (file.mode & OTHERS_MAY_ANYTHING) === 0
      ? []
      : [
          note(
            'STATE_DIRECTORY_OPEN',
            `others can look into the state directory ${path}, which has mode ${modeText(file.mode)}`,
            `What it holds is closed to them, but nobody else has a reason to: chmod 0700 ${quoted(path)}`,
          ),
        ]
  const free = freeBytes === null ? '' : `, ${sizeText(freeBytes)} free`
  return [
    ok('STATE_DIRECTORY', `the state directory ${path} is there: mode ${modeText(file.mode)}, user ${file.uid}${free}`),
    ...open,
    ...spaceFindings(path, freeBytes),
  ]
}

function savedFindings({ agent }: DoctorFacts): Finding[] {
  if (agent.kind !== 'answers') return []
  const found = agent.status.saved.fault
  return found === null
    ? [ok('STATE_SAVED', 'the last configuration is on the disk')]
    : [fault('STATE_NOT_SAVED', `the state cannot be saved: ${found.message}`, found.remedy)]
}

function secretFinding(setting: string, path: string, file: FileFacts): Finding {
  switch (file.kind) {
    case 'missing':
      return fault(
        'SECRET_FILE_MISSING',
        `${setting} names ${path}, and there is no such file`,
        'Create it, or correct the setting.',
      )
    case 'unreadable':
      return note(
        'SECRET_FILE_UNKNOWN',
        `${path} (${setting}) cannot be looked at by this user (${file.code})`,
        'Run this as root.',
      )
    case 'found':
      return (file.mode & OTHERS_MAY_ANYTHING) === 0
        ? ok('SECRET_FILE', `${path} (${setting}) is closed to others`)
        : fault(
            'SECRET_FILE_OPEN',
            `${path} (${setting}) has mode ${modeText(file.mode)}, so others can use the secret in it; the agent refuses it`,
            `chmod 0600 ${quoted(path)}, and replace the secret if others may have read it.`,
          )
    default:
      return file satisfies never
  }
}

function clockFindings({ clock, traefik, agent }: DoctorFacts): Finding[] {
  const sync = 'Set the clock and keep it so: timedatectl set-ntp true.'
  const { controlPlane, nowMs } = clock
  if (controlPlane?.kind === 'compared') {
    const { host, aheadMs } = controlPlane
    const off = Math.abs(aheadMs)
    const message = `the clock of this machine is ${Math.round(off / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of ${host}`
    if (off > SIGNATURE_WINDOW_MS)
      return [fault('CLOCK_WRONG', `${message}, and requests that are signed at such a time are refused`, sync)]
    if (off > SKEW_MS) return [warn('CLOCK_WRONG', message, sync)]
    return [ok('CLOCK', `the clock of this machine agrees with that of ${host}`)]
  }
  const silent =
    controlPlane === null
      ? []
      : [
          note(
            'CLOCK_NOT_COMPARED',
            `the clock cannot be compared with that of ${controlPlane.host}: ${controlPlane.message}`,
          ),
        ]
  const starts: readonly (readonly [name: string, at: number | null])[] = [
    ['Traefik', traefik.kind === 'read' ? traefik.startedAt : null],
    ['the agent', agent.kind === 'answers' ? agent.status.startedAt : null],
  ]
  const early = starts.find(([, at]) => at !== null && at > nowMs + START_SLACK_MS)
  if (early === undefined) return silent
  return [
    ...silent,
    warn(
      'CLOCK_WENT_BACK',
      `${early[0]} has started in the future (${new Date(early[1] ?? 0).toISOString()}), so the clock of this machine went back since`,
      sync,
    ),
  ]
}

export const hostFindings = (facts: DoctorFacts): readonly Finding[] => [
  ...stateFindings(facts),
  ...savedFindings(facts),
  ...facts.secretFiles.map(({ setting, path, file }) => secretFinding(setting, path, file)),
  ...clockFindings(facts),
]
