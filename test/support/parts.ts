/**
 * What a test needs beside Node, by name. `npm test` installs what it can and hands on, in FAIRLEAD_TEST_HAS, what is there:
 *
 *   describe.skipIf(!part('postgres'))('two control planes on one database', () => { ... })
 *
 * What it leaves out it names at the end, with the reason. Without the runner (`npx vitest`) everything is taken to be there: then a
 * missing part is a failure, not a silence.
 */
export const PARTS = [
  'traefik',
  'older-traefik',
  'openssl',
  'postgres',
  'psql',
  'mariadb',
  'redis',
  'curl',
  'dig',
  'systemd-analyze',
  'iproute2',
  'prometheus',
  'chromium',
  'schemathesis',
] as const

export type PartName = (typeof PARTS)[number]

/** True when this part is there. */
export function part(name: PartName): boolean {
  const there = process.env.FAIRLEAD_TEST_HAS
  return there === undefined || there.split(',').includes(name)
}

/** A Traefik without health checks on TCP, which the pinned one has. */
export const OLDER_TRAEFIK = '3.3.6'
