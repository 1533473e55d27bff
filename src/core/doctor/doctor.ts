/**
 * What is wrong with a node, what will hurt, and what is in order. Pure: facts in, findings out, worst first.
 *
 *   doctor-facts.ts  what has to be known         doctor-agent.ts    the agent, its polls and sources
 *   doctor-ports.ts  entry points, pools, kernel  doctor-traefik.ts  version, API
 *   doctor-host.ts   state, secrets, clock        doctor-static.ts   Traefik's static file
 */
import { agentFindings } from './agent.ts'
import { type DoctorFacts, type Finding, LEVELS } from './facts.ts'
import { hostFindings } from './host.ts'
import { portFindings } from './ports.ts'
import { staticFindings } from './static.ts'
import { traefikFindings } from './traefik.ts'

/** Within a level in the order in which the parts of a node depend on each other. */
export function diagnose(facts: DoctorFacts): readonly Finding[] {
  const findings = [
    ...agentFindings(facts),
    ...traefikFindings(facts),
    ...portFindings(facts),
    ...staticFindings(facts),
    ...hostFindings(facts),
  ]
  return LEVELS.flatMap(level => findings.filter(finding => finding.level === level))
}

/** No faults and no warnings. */
export const isHealthy = (findings: readonly Finding[]): boolean =>
  findings.every(({ level }) => level !== 'fault' && level !== 'warn')
