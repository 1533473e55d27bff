/** Claims and ports that do not say the same are mended, and what has rested long enough is forgotten. */
import type { ControlDeps } from '../deps.ts'
import { checkPorts, type Finding, forgetHosts, repairPorts } from '../ports/repair.ts'
import { chore } from './chore.ts'

const isMended = ({ kind }: Finding): boolean => kind !== 'duplicate'

/** Should never find anything. Gives how many were mended; a number that two have is told, and waits for an admin. */
export async function mendPorts(deps: ControlDeps): Promise<number> {
  const found = await deps.database.transaction(checkPorts, { isolation: 'repeatable read', readOnly: true })
  if (found.length === 0) return 0
  deps.logger.error(
    { findings: found.slice(0, 20), count: found.length, remedy: 'Report it: claims and ports must always agree.' },
    'claims of ports do not fit their ports',
  )
  if (!found.some(isMended)) return 0
  return chore(deps, async ({ change, audit }) => {
    const findings = (await repairPorts(await change())).filter(isMended)
    for (const finding of findings) {
      const { protocol, port, host } = finding
      await audit({
        action: 'pool.repair',
        resourceKind: 'pool-port',
        resourceId: `${protocol}-${port}${host === '' ? '' : `-${host}`}`,
        after: finding,
      })
    }
    return findings.length
  })
}

/** No audit row: nobody had them any more. */
export async function forgetRestedHosts({ database, config }: ControlDeps): Promise<number> {
  return database.transaction(tx => forgetHosts(tx, { leastTimeMs: config.release.leastTimeMs }))
}
