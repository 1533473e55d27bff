import { defineConfig } from 'vitest/config'

// Folders that need more than Node: each is a project of its own, so that it can be left out by name and has time limits that fit.
const APART = ['traefik', 'faults', 'postgres', 'prometheus', 'console', 'api-fuzz'] as const

const LONG_TIMEOUT_MS = 60_000

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // A test that leaves a stub or a changed variable behind must not reach the next one.
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['test/**/*.test.ts'],
          exclude: APART.map(folder => `test/${folder}/**`),
          testTimeout: 10_000,
          hookTimeout: 10_000,
        },
      },
      ...APART.map((folder, index) => ({
        extends: true as const,
        test: {
          name: folder,
          // One after the other: what runs real servers must not slow down the tests with short time limits.
          sequence: { groupOrder: index + 1 },
          include: [`test/${folder}/**/*.test.ts`],
          // Two browsers at once, each with servers of its own, are more than two cores can do in time.
          ...(folder === 'console' ? { maxWorkers: 1 } : {}),
          testTimeout: LONG_TIMEOUT_MS,
          hookTimeout: LONG_TIMEOUT_MS,
        },
      })),
    ],
  },
})
