import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createGuards } from '../../src/agent/guards.ts'
import { createPublication } from '../../src/agent/publication.ts'
import { createReconciler } from '../../src/agent/reconcile.ts'
import { createCrashMarker } from '../../src/agent/store/crash-marker.ts'
import type { Snapshot } from '../../src/core/payload.ts'
import { NODE, tcpRoute, traefikWith, viewOf } from '../support/builders.ts'
import { readingOf, statusOf } from '../support/readings.ts'
import { providerWith } from '../support/status.ts'
import { tempFolder } from '../support/temp-folder.ts'

test('a state that only waits for a source is not taken for one that kills', async () => {
  const logger = pino({ level: 'silent' })
  const published: Snapshot[] = []
  const publication = createPublication({
    answerPolls: () => {},
    publish: snapshot => void published.push(snapshot),
    observation: () => null,
    provider: () => providerWith({}),
    look: () => {},
    onChange: () => {},
    onReplan: () => {},
    onNack: () => {},
    onApplied: () => {},
    logger,
  })
  let standing: readonly string[] | 'unknown' = ['tcp_of_the_control_plane']
  const reading = readingOf({ tcpRoutes: [tcpRoute({ id: 'a', externalPort: 10001 })] })
  const reconciler = createReconciler({
    sources: () => [statusOf('files', reading), statusOf('control-plane', null)],
    mark: () => null,
    guards: createGuards({ minRoutes: 10, maxRatio: 0.5, settleMs: 30_000 }, Date.now, () => performance.now()),
    publication,
    view: () => viewOf(traefikWith({})),
    node: () => NODE,
    standing: () => standing,
    pauseMs: () => 0,
    keeping: { keep: () => Promise.resolve() },
    onRound: () => {},
    crashMarker: createCrashMarker({ directory: await tempFolder(), logger }),
    logger,
  })
  for (let round = 0; round < 3; round++) await reconciler.step()
  expect(published).toEqual([])
  // It does not answer: what it has may be all that there is.
  standing = 'unknown'
  await reconciler.step()
  expect(published).toEqual([])
  // Traefik has restarted: there is nothing any more that could be wiped.
  standing = []
  await reconciler.step()
  await reconciler.stop()
  publication.stop()
  expect(published).toHaveLength(1)
})
