/** Every room of the control plane, with a line each: what it adds to the server. */
import type { ControlDeps } from '../deps.ts'
import type { App } from './route.ts'

type Room = (app: App, deps: ControlDeps) => void

/** Below `/api/v1`. */
export const API_ROOMS: readonly Room[] = []

/** At the root: `/metrics`, the console, ... */
export const ROOT_ROOMS: readonly Room[] = []
