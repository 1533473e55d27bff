/**
 * `npm test`: installs what the tests need, checks types and lint, runs every test, and ends with one line of numbers.
 *
 *   npm test                       everything
 *   npm test -- test/core          handed on to vitest: these files, this project (`--project unit`)
 *
 * With CI=true nothing may be left out: a missing part or a skipped test is a failure.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { prepareParts } from './test-parts.ts'
import { add, closingLine, NOTHING, single, type Totals, vitestTotals } from './test-totals.ts'

const root = dirname(import.meta.dirname)
const inCi = process.env.CI === 'true'

/** Streams the output of a command of node_modules/.bin; its exit code, or null when it was killed or could not be started. */
function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number | null> {
  const bin = join(root, 'node_modules', '.bin')
  // First on PATH is also the pinned Node, which these commands then run on.
  const PATH = [bin, process.env.PATH ?? ''].join(delimiter)
  const plain = process.stdout.isTTY ? {} : { NO_COLOR: '1' }
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...plain, ...env, PATH } })
  return new Promise(resolve => {
    child.once('error', error => {
      console.error(`${command}: ${error.message}`)
      resolve(null)
    })
    child.once('close', code => resolve(code))
  })
}

async function check(name: string, command: string, args: readonly string[]): Promise<Totals> {
  const ok = (await run(command, args)) === 0
  console.log(`${name}: ${ok ? 'passed' : 'failed'}`)
  return single(ok)
}

async function vitest(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Totals> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-results-'))
  try {
    const file = join(folder, 'results.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const exitCode = await run('vitest', ['run', ...reporters, ...args], env)
    return vitestTotals(await readFile(file, 'utf8').catch(() => null), exitCode)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function main(): Promise<Totals> {
  const parts = await prepareParts()
  let totals = NOTHING
  // The console and its tests know the browser, everything else must not.
  for (const project of ['tsconfig.json', 'src/console/tsconfig.json', 'test/console/tsconfig.json'])
    totals = add(totals, await check(`types of ${project}`, 'tsc', ['-p', project]))
  // Once, before any test: a control plane that is started while it is built anew would find no console.
  totals = add(totals, await check('console', 'node', ['scripts/build-console.ts']))
  // Also once: it takes seconds, and dozens of tests start a control plane on an empty folder.
  totals = add(totals, await check('empty database', 'node', ['scripts/build-cluster.ts']))
  totals = add(totals, await check('lint', 'biome', ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off'])]))
  const env = {
    FAIRLEAD_TEST_HAS: parts.there.join(','),
    ...(parts.traefik === null ? {} : { FAIRLEAD_TEST_TRAEFIK: parts.traefik }),
  }
  totals = add(totals, await vitest(process.argv.slice(2), env))
  for (const { name, reason } of parts.leftOut) console.log(`left out: ${name}: ${reason}`)
  if (!inCi) return totals
  const complete = parts.leftOut.length === 0 && totals.skipped === 0
  if (!complete) console.log('complete: failed: with CI=true no part may be left out and no test skipped')
  return add(totals, single(complete))
}

const totals = await main().catch((error: unknown) => {
  console.error(error)
  return single(false)
})
console.log(closingLine(totals))
process.exitCode = totals.failed === 0 ? 0 : 1
