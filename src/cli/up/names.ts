/** What routes are called: those of the control plane by their service, those of files by their id. */

import type { Place } from './place.ts'
import { openPlane, routeNames } from './plane.ts'
import type { Ports } from './ports.ts'

export type Names = {
  /** `tcp/orders-db` for `tcp/prt_...`; the key itself where nothing better is known. */
  readonly nameOf: (key: string) => string
  /** Asks for names when there is a route of the control plane that has none here. Never throws. */
  readonly learn: (keys: readonly string[]) => Promise<void>
}

const isOfPlane = (key: string): boolean => /^[a-z]+\/prt_/.test(key)

export function createNames(place: Place, ports: Pick<Ports, 'control'>): Names {
  let known: ReadonlyMap<string, string> = new Map()
  /** Asked for, and not told: they are not asked for again. */
  const unknown = new Set<string>()
  return {
    nameOf: key => known.get(key) ?? key,
    async learn(keys) {
      const missing = keys.filter(key => isOfPlane(key) && !known.has(key) && !unknown.has(key))
      if (missing.length === 0) return
      try {
        const client = await openPlane(place, ports)
        try {
          // Those that are gone keep their names: that they are gone has to be said, too.
          known = new Map([...known, ...(await routeNames(client))])
        } finally {
          await client.close()
        }
        for (const key of missing) if (!known.has(key)) unknown.add(key)
      } catch {
        // The control plane is away; the next look asks again.
      }
    },
  }
}
