import { expect, test } from 'vitest'
import { killUntilEnd, type Program, startProcess } from '../support/program.ts'

const DAEMON = new URL('../../src/cli/daemon.ts', import.meta.url).href

/** A process whose work is `body`, an expression that uses `stop`; it says its last word, if any, on stdout. */
function start(body: string, options: string = '', channel = false): Program {
  const script = `
    import { aborted, asDaemon } from ${JSON.stringify(DAEMON)}
    const lastWord = word => process.stdout.write('last word ' + word.kind + '\\n')
    const tick = setInterval(() => {}, 1000)
    const work = async stop => { console.log('runs'); const code = await (${body}); clearInterval(tick); return code }
    process.exitCode = await asDaemon({ stopDeadlineMs: 60_000, lastWord, ${options} }, work)
    console.log('over')
  `
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script]
  return startProcess([process.execPath, ...args], { channel })
}

const NEVER = 'new Promise(() => {})'
const UNTIL_STOPPED = 'aborted(stop).then(() => 0)'

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s asks the work to end', async signal => {
  const program = start(UNTIL_STOPPED)
  await program.says('runs')
  program.child.kill(signal)
  expect(await program.exit).toEqual({ code: 0, signal: null })
  expect(program.out()).toBe('runs\nover\n')
})

test('SIGHUP reloads where there is something to reload', async () => {
  const program = start(UNTIL_STOPPED, "reload: () => console.log('reload')")
  await program.says('runs')
  program.child.kill('SIGHUP')
  await program.says('reload')
  program.child.kill('SIGTERM')
  expect(await program.exit).toEqual({ code: 0, signal: null })
  expect(program.out()).toBe('runs\nreload\nover\n')
})

test('one Ctrl-C that arrives twice is one', async () => {
  const program = start('aborted(stop).then(() => new Promise(resolve => setTimeout(() => resolve(0), 20)))')
  await program.says('runs')
  program.child.kill('SIGINT')
  program.child.kill('SIGINT')
  program.child.kill('SIGINT')
  expect(await program.exit).toEqual({ code: 0, signal: null })
})

test('a second signal ends the process at once', async () => {
  const program = start(`aborted(stop).then(() => console.log('asked')).then(() => ${NEVER})`)
  await program.says('runs')
  program.child.kill('SIGTERM')
  await program.says('asked')
  await killUntilEnd(program)
  expect(await program.exit).toEqual({ code: 1, signal: null })
  expect(program.out()).toBe('runs\nasked\nlast word second-signal\n')
})

test('work that does not end in its time is cut off', async () => {
  const program = start(NEVER, 'stopDeadlineMs: 50')
  await program.says('runs')
  program.child.kill('SIGTERM')
  expect(await program.exit).toEqual({ code: 1, signal: null })
  expect(program.out()).toBe('runs\nlast word late\n')
})

test.each([
  ['a rejection', "(Promise.reject(new Error('lost')), "],
  ['an exception', "(setTimeout(() => { throw new Error('thrown') }), "],
])('%s that nobody caught ends it with code 1', async (_what, fault) => {
  const program = start(`${fault}${NEVER})`)
  expect(await program.exit).toEqual({ code: 1, signal: null })
  expect(program.out()).toBe('runs\nlast word uncaught\n')
})

test('the end of the parent asks the work to end', async () => {
  const program = start(UNTIL_STOPPED, '', true)
  await program.says('runs')
  program.child.disconnect()
  expect(await program.exit).toEqual({ code: 0, signal: null })
})

test('a forgotten handle does not keep a stopped process', async () => {
  const program = start('(setInterval(() => {}, 1000), aborted(stop).then(() => 0))')
  await program.says('runs')
  program.child.kill('SIGTERM')
  expect(await program.exit).toEqual({ code: 0, signal: null })
})
