import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Folders that need more than Node: each is a project of its own, so that it can be left out by name and has time limits that fit.
const WITH_SERVERS = ['traefik', 'faults', 'postgres', 'prometheus', 'api-fuzz'] as const
const APART = [...WITH_SERVERS, 'console'] as const

// They cost nothing when all is well, and must do on a slow or busy machine.
const UNIT_TIMEOUT_MS = 30_000
const LONG_TIMEOUT_MS = 180_000

// Files that take half a minute and more, of whatever size. One that began last would be alone at the end.
const SLOW = [
  'api-fuzz/schemathesis',
  'traefik/up',
  'traefik/control-plane',
  'traefik/mishaps-refusal',
  'traefik/mishaps-traefik',
  'faults/embedded-database',
  'postgres/control-kill',
  'postgres/control-chores',
  'traefik/health',
  'traefik/probe',
  'faults/aborted-polls',
  'control/services/services-model',
  'control/agents/expected-state',
].map(name => join(import.meta.dirname, 'test', `${name}.test.ts`))

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const slow = SLOW.flatMap(name => sorted.filter(({ moduleId }) => moduleId === name))
    return [...slow, ...sorted.filter(file => !slow.includes(file))]
  }
}

/** A project of `test/FOLDER`. The groups of projects run one after the other, those of one group at the same time. */
const projectOf = (folder: (typeof APART)[number], groupOrder: number, maxWorkers: number) => ({
  extends: true as const,
  test: {
    name: folder,
    sequence: { groupOrder },
    maxWorkers,
    include: [`test/${folder}/**/*.test.ts`],
    testTimeout: LONG_TIMEOUT_MS,
    hookTimeout: LONG_TIMEOUT_MS,
  },
})

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: SlowFirst },
    // A test that leaves a stub or a changed variable behind must not reach the next one.
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    // Where the Node processes that tests start keep what they have compiled.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'fairlead', 'compiled') },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['test/**/*.test.ts'],
          exclude: APART.map(folder => `test/${folder}/**`),
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
        },
      },
      // After those with short time limits. They wait for servers a third of their time: three of them fill two cores.
      ...WITH_SERVERS.map(folder => projectOf(folder, 1, 3)),
      // Two browsers at once, each with servers of its own, are more than two cores can do in time.
      projectOf('console', 2, 1),
    ],
  },
})
