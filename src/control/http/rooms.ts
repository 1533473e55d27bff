/** Every room of the control plane, with a line each: what it adds to the server. */
import { registerAccess } from '../access/rest.ts'
import { createAuthenticateNode } from '../agents/authenticate.ts'
import { registerAgents } from '../agents/rest.ts'
import { registerAudit } from '../audit-rest.ts'
import { registerConsole } from '../console-files.ts'
import type { ControlDeps } from '../deps.ts'
import { registerEvents } from '../events/rest.ts'
import { registerNodes } from '../nodes/rest.ts'
import { registerRoutes } from '../routes/rest.ts'
import { registerServices } from '../services/rest.ts'
import { registerPools } from '../services/rest-pools.ts'
import { registerProjects } from '../services/rest-projects.ts'
import { registerTransfer } from '../transfer/rest.ts'
import type { AuthenticateNode } from './gatekeeper.ts'
import type { App } from './route.ts'

type Room = (app: App, deps: ControlDeps) => void

/** Below `/api/v1`. */
export const API_ROOMS: readonly Room[] = [
  registerAccess,
  registerAgents,
  registerAudit,
  registerEvents,
  registerNodes,
  registerRoutes,
  registerPools,
  registerProjects,
  registerServices,
  registerTransfer,
]

/** At the root: the console. */
export const ROOT_ROOMS: readonly Room[] = [registerConsole]

/** Says which node signed a request on a route with `access: 'node'`. */
export const nodeAuthenticator: (deps: ControlDeps) => AuthenticateNode = createAuthenticateNode
