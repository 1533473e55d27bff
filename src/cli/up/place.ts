/** Where `fairlead up` keeps what it writes: one folder, for its owner alone. */
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { Environment } from '../../lib/settings.ts'

export type Place = {
  /** Absolute. Its lock means: one `up` at a time. */
  readonly directory: string
  readonly routes: string
  /** Of an older version: the demo goes through the control plane now. */
  readonly demoRoutes: string
  /** Made once, then the user's. */
  readonly ownRoutes: string
  readonly staticFile: string
  readonly agentFile: string
  readonly tokenFile: string
  readonly agentState: string
  /** Of the agent, by the control plane beside it. */
  readonly identityFile: string
  readonly agentLog: string
  readonly controlFile: string
  readonly controlState: string
  readonly controlLog: string
  readonly traefikLog: string
  /** Which processes were started from here. */
  readonly children: string
}

export type Whose = { readonly env: Environment; readonly cwd: string; readonly uid: number }

/** `--state`, else for root a folder of the system, else one of the user. */
export function stateDirectory(named: string | null, { env, cwd, uid }: Whose): string {
  if (named !== null) return resolve(cwd, named)
  if (uid === 0) return '/var/lib/fairlead-up'
  const set = env.XDG_STATE_HOME
  // The specification of these folders says that a relative path is to be ignored.
  const base = set !== undefined && isAbsolute(set) ? set : join(env.HOME ?? homedir(), '.local', 'state')
  return join(base, 'fairlead-up')
}

export function placeOf(directory: string): Place {
  const routes = join(directory, 'routes.d')
  return {
    directory,
    routes,
    demoRoutes: join(routes, 'demo.yaml'),
    ownRoutes: join(routes, 'routes.yaml'),
    staticFile: join(directory, 'traefik.yaml'),
    agentFile: join(directory, 'agent.yaml'),
    tokenFile: join(directory, 'provider-token'),
    agentState: join(directory, 'agent'),
    identityFile: join(directory, 'agent', 'identity.json'),
    controlFile: join(directory, 'control.yaml'),
    controlState: join(directory, 'control'),
    controlLog: join(directory, 'control.log'),
    agentLog: join(directory, 'agent.log'),
    traefikLog: join(directory, 'traefik.log'),
    children: join(directory, 'children.json'),
  }
}
