import { defineConfig } from 'vitest/config'

// Folders that need more than Node: each is a project of its own, so that it can be left out by name and has time limits that fit.
const APART = ['traefik', 'faults', 'postgres', 'console'] as const

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
          include: ['test/**/*.test.ts'],
          exclude: APART.map(folder => `test/${folder}/**`),
          testTimeout: 10_000,
          hookTimeout: 10_000,
        },
      },
      ...APART.map(folder => ({
        extends: true as const,
        test: {
          name: folder,
          include: [`test/${folder}/**/*.test.ts`],
          testTimeout: LONG_TIMEOUT_MS,
          hookTimeout: LONG_TIMEOUT_MS,
        },
      })),
    ],
  },
})
