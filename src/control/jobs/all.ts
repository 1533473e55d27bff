/** Every chore of the control plane, and how often it is done. */
import type { ControlDeps } from '../deps.ts'
import type { Job } from '../jobs.ts'
import { expirePorts } from './expiry.ts'
import { markLostNodes } from './lost-nodes.ts'
import { forgetRestedHosts, mendPorts } from './port-chores.ts'
import { RETENTION } from './retention.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** A control plane that was away itself has heard of nobody: nodes get this long to ask again. */
const NODES_GRACE = 2 * MINUTE

export function makeJobs(deps: ControlDeps): readonly Job[] {
  const startedAt = deps.clock.monotonic()
  const heard = (): boolean => deps.clock.monotonic() - startedAt >= NODES_GRACE
  return [
    { name: 'expire-ports', everyMs: 5 * SECOND, run: () => expirePorts(deps) },
    { name: 'lost-nodes', everyMs: 15 * SECOND, run: async () => (heard() ? markLostNodes(deps) : 0) },
    { name: 'mend-ports', everyMs: 5 * MINUTE, run: () => mendPorts(deps) },
    { name: 'forget-hosts', everyMs: 10 * MINUTE, run: () => forgetRestedHosts(deps) },
    ...RETENTION.map(({ name, everyMs, run }) => ({ name, everyMs, run: () => run(deps) })),
  ]
}
