/**
 * What each source gives to a plan: its reading as the guard lets it through, and the routes that the guard holds.
 *
 * A route that is held goes on as it was. What it needs beside itself is kept with it: its certificate, and who answers the challenges for
 * the next one.
 */
import type { Certificate } from '../core/certificate.ts'
import type { PlanSource } from '../core/plan.ts'
import type { Guards } from './guards.ts'
import type { SourceName, SourceReading, SourceStatus } from './sources/source.ts'
import type { HeldCertificates, HeldChallenges, StoredState } from './stored-state.ts'

export interface Supplies {
  /** What the run before this one has left. */
  restore(state: StoredState): void
  /** One step of the guards, for the sources that have spoken. */
  take(statuses: readonly SourceStatus[]): readonly PlanSource[]
  stored(): Pick<StoredState, 'guards' | 'heldCertificates' | 'heldChallenges'>
}

const RANK: Readonly<Record<SourceName, number>> = { files: 0, 'control-plane': 1 }
/** Behind everything that claims its place. */
const HELD_RANK = 2

export function createSupplies(guards: Guards): Supplies {
  /** Those that went out last, of each source. */
  const certificates = new Map<SourceName, readonly Certificate[]>()
  let heldCertificates: HeldCertificates = {}
  /** Where the challenges of each source are answered, of the one that went out last. */
  const challenges = new Map<SourceName, string>()
  let heldChallenges: HeldChallenges = {}

  /** A route that is held keeps its certificate: what the reading does not name any more, of those that went out last. */
  function keepCertificates(name: SourceName, reading: SourceReading): readonly Certificate[] {
    const named = new Set(reading.certificates.map(({ domain }) => domain))
    return (certificates.get(name) ?? []).filter(({ domain }) => !named.has(domain))
  }

  /** A route that is held may need a new certificate meanwhile: who answers the challenges for it is held with it. */
  function keepChallenge(name: SourceName, reading: SourceReading, isHeld: boolean): string | null {
    const kept = isHeld && reading.challengeUrl === null ? (challenges.get(name) ?? null) : null
    const current = reading.challengeUrl ?? kept
    if (current === null) challenges.delete(name)
    else challenges.set(name, current)
    const { [name]: _before, ...others } = heldChallenges
    heldChallenges = kept === null ? others : { ...others, [name]: kept }
    return kept
  }

  function take(statuses: readonly SourceStatus[]): readonly PlanSource[] {
    return statuses.flatMap(({ name, reading }): PlanSource[] => {
      if (reading === null) return []
      const { routes, held } = guards.pass(name, reading)
      const kept = held.length === 0 ? [] : keepCertificates(name, reading)
      certificates.set(name, [...reading.certificates, ...kept])
      heldCertificates = { ...heldCertificates, [name]: kept }
      const challengeUrl = keepChallenge(name, reading, held.length > 0)
      const main = { ...reading, rank: RANK[name], routes }
      return held.length === 0
        ? [main]
        : [main, { rank: HELD_RANK, routes: held, problems: [], certificates: kept, challengeUrl }]
    })
  }

  return {
    restore(state) {
      guards.restore(state.guards, state.readings)
      heldCertificates = state.heldCertificates
      heldChallenges = state.heldChallenges ?? {}
      for (const name of ['files', 'control-plane'] as const) {
        certificates.set(name, [...(state.readings[name]?.certificates ?? []), ...(heldCertificates[name] ?? [])])
        const challenge = state.readings[name]?.challengeUrl ?? heldChallenges[name] ?? null
        if (challenge !== null) challenges.set(name, challenge)
      }
    },
    take,
    stored: () => ({ guards: guards.stored(), heldCertificates, heldChallenges }),
  }
}
