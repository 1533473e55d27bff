/** The protocol of what was exposed last in this browser: the form begins with it. */
import type { Protocol } from '../../../core/problem.ts'

const STORED = 'fairlead-protocol'

export function rememberProtocol(protocol: Protocol): void {
  try {
    localStorage.setItem(STORED, protocol)
  } catch {
    // Where nothing may be stored, the form begins with TCP.
  }
}

export function lastProtocol(): Protocol {
  try {
    const stored = localStorage.getItem(STORED)
    return stored === 'http' || stored === 'udp' ? stored : 'tcp'
  } catch {
    return 'tcp'
  }
}
