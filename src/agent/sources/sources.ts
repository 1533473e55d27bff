/** The sources that the settings name, begun with what the run before this one had read. */
import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { RevisionMark } from '../../core/revision-order.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AgentConfig, ControlPlaneConfig } from '../config.ts'
import { createIdentityAuth, loadIdentity, loadToken, makeTokenAuth, NO_AUTH, type RequestAuth } from '../identity.ts'
import { revisionLabel } from '../reconcile.ts'
import { createControlPlaneSource } from './control-plane.ts'
import type { Peers } from './control-plane-reading.ts'
import { createFilesSource } from './files.ts'
import { createLateControlPlane } from './late-control-plane.ts'
import type { Source, SourceName, SourceReading, SourceStatus } from './source.ts'

/** How the control plane is reached: reports go the same way, with the same timestamps. */
export type ControlPlaneAccess = {
  readonly urls: readonly string[]
  readonly auth: RequestAuth
  /** PEM, or null. */
  readonly ca: string | null
}

export type Sources = {
  readonly statuses: () => readonly SourceStatus[]
  /** The highest revision taken from the control plane. */
  readonly mark: () => RevisionMark | null
  /** Label of what is expected now; null while nobody has spoken. */
  readonly revision: () => number | string | null
  /** Resolves after the first attempt of each. */
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

export type SourcesOptions = {
  readonly config: AgentConfig
  readonly saved: {
    readonly readings: { readonly [name in SourceName]?: SourceReading }
    readonly mark: RevisionMark | null
  } | null
  readonly logger: Logger
  readonly clock: Clock
  readonly onChange: () => void
  readonly onAttempt: (source: SourceName, result: string) => void
  /** The credentials for the control plane were read. */
  readonly onAccess: (access: ControlPlaneAccess) => void
}

type Credentials = { readonly auth: RequestAuth; readonly expected: Peers }

/** A bearer token when one is set, else the identity of the node, else nothing: then the control plane decides. */
async function credentials(config: ControlPlaneConfig, now: () => number): Promise<Credentials> {
  const nobody: Peers = { serverId: null, controlPlaneId: null }
  if (config.tokenFile !== null) return { auth: makeTokenAuth(await loadToken(config.tokenFile)), expected: nobody }
  try {
    const identity = await loadIdentity(config.identityFile)
    return {
      auth: createIdentityAuth(identity, now),
      expected: { serverId: identity.serverId, controlPlaneId: identity.controlPlaneId },
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SECRET_FILE_MISSING')
      return { auth: NO_AUTH, expected: nobody }
    throw error
  }
}

/** Opens nothing before `start`. A fault of a source, its credentials included, is told by its status and stops nobody. */
export function createSources(options: SourcesOptions): Sources {
  const { config, saved, logger, clock, onChange, onAttempt, onAccess } = options
  const { files, controlPlane } = config.sources
  const { maxRoutes } = config.policy
  const all: Source[] = []
  let mark = (): RevisionMark | null => null
  const events = (name: SourceName) => ({ onChange, onAttempt: (result: string) => onAttempt(name, result) })
  if (files !== null) {
    const previous = saved?.readings.files
    all.push(
      createFilesSource({
        directory: files.directory,
        maxRoutes,
        logger,
        clock,
        events: events('files'),
        ...(previous === undefined ? {} : { previous }),
      }),
    )
  }
  if (controlPlane !== null) {
    const previous = { reading: saved?.readings['control-plane'] ?? null, mark: saved?.mark ?? null }
    const make = async () => {
      const { auth, expected } = await credentials(controlPlane, clock.now)
      const ca = controlPlane.caFile === null ? null : await readFile(controlPlane.caFile, 'utf8')
      const access = { urls: controlPlane.urls, auth, ca }
      const { pollIntervalMs } = controlPlane
      const plane = createControlPlaneSource({
        ...access,
        pollIntervalMs,
        expected,
        maxRoutes,
        logger,
        clock,
        events: events('control-plane'),
        previous,
      })
      onAccess(access)
      return plane
    }
    const plane = createLateControlPlane({ make, previous, events: events('control-plane'), logger, clock })
    mark = plane.mark
    all.push(plane)
  }
  const statuses = (): readonly SourceStatus[] => all.map(source => source.status())
  return {
    statuses,
    mark: () => mark(),
    revision: () => (statuses().some(({ reading }) => reading !== null) ? revisionLabel(statuses()) : null),
    start: async () => {
      await Promise.all(all.map(source => source.start()))
    },
    stop: async () => {
      await Promise.all(all.map(source => source.stop()))
    },
  }
}
