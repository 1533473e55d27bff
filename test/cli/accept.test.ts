import { describe, expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { tcpRoute } from '../support/builders.ts'
import { runCli } from '../support/cli.ts'
import { startLoneAgent } from '../support/lone-agent.ts'
import { type FakeAnswer, fakeAdmin, NOW, statusOf, verdictOf } from '../support/status.ts'
import { waitFor } from '../support/wait-for.ts'

const HASH = '9f3a1c20b7d4'.padEnd(64, '0')
const OTHER = '9f3a1c20ffff'.padEnd(64, '1')

const held = (hash: string, source: 'files' | 'control-plane' = 'control-plane', untilMs: number | null = null) => ({
  source,
  hash,
  removals: ['tcp/a', 'tcp/b'] as const,
  reason: 'ratio' as const,
  message: 'the new state drops 2 of 3 routes',
  untilMs,
})

const VERDICTS = [
  verdictOf('MASS_REMOVAL', { id: 'a', entryPoints: ['tcp-10001'], origin: 'cp_1' }),
  verdictOf('MASS_REMOVAL', { id: 'b', entryPoints: ['tcp-10002'], origin: 'cp_1' }),
]

type Options = {
  readonly holds?: readonly ReturnType<typeof held>[]
  readonly answer?: FakeAnswer
  /** What the person at the terminal types; absent: nobody is there. */
  readonly typed?: string | null
}

async function accept(args: readonly string[], { holds = [held(HASH)], answer, typed }: Options = {}) {
  const { config, seen } = await fakeAdmin(({ path }) => {
    if (path === '/status') return { status: 200, body: statusOf({ held: holds, verdicts: VERDICTS }) }
    return answer ?? { status: 200, body: { accepted: HASH } }
  })
  const questions: string[] = []
  const ask: Io['ask'] = async question => {
    questions.push(question)
    return typed ?? null
  }
  const io: Partial<Io> = typed === undefined ? {} : { ask, columns: () => 80 }
  const { code, out, err } = await runCli(['accept', ...args, '--config', config], io)
  const sent = seen.filter(({ method }) => method === 'POST').map(({ path, body }) => `${path} ${body}`)
  return { code, out, err: err.replaceAll(config, 'agent.yaml'), questions, sent }
}

const SHOWN = `held on proxy-1, from control-plane: 9f3a1c20b7d4
  the new state drops 2 of 3 routes.
  These 2 routes would go:
    tcp/a  port 10001  cp_1
    tcp/b  port 10002  cp_1
`
const THIS = `/accept ${JSON.stringify({ hash: HASH })}`

describe('at a terminal', () => {
  test('it shows what would go, and asks', async () => {
    expect(await accept([], { typed: 'y' })).toEqual({
      code: 0,
      out: `${SHOWN}accepted 9f3a1c20b7d4: 2 routes go.\n`,
      err: '',
      questions: ['Let 2 routes go? [y/N] '],
      sent: [THIS],
    })
  })

  test.each([['n'], [''], [null], ['yess']])('%j leaves all as it is', async typed => {
    const { code, out, sent } = await accept([HASH], { typed })
    expect({ code, out, sent }).toEqual({
      code: 1,
      out: `${SHOWN}not accepted; the routes go on serving\n`,
      sent: [],
    })
  })

  test('--yes does not ask', async () => {
    const { code, questions, sent } = await accept(['--yes'], { typed: 'n' })
    expect({ code, questions, sent }).toEqual({ code: 0, questions: [], sent: [THIS] })
  })
})

describe('in a script', () => {
  test('without a hash it refuses and names the hash', async () => {
    expect(await accept([])).toEqual({
      code: 2,
      out: SHOWN,
      err: [
        'fairlead accept: nobody is here to be asked, so say what to accept:\n',
        'fairlead accept:   fairlead accept 9f3a1c20b7d4 --config agent.yaml\n',
      ].join(''),
      questions: [],
      sent: [],
    })
  })

  test.each([[['9f3a1c20']], [['9F3A1C20B7D4']], [[HASH]], [['--yes']]])(
    '%j accepts exactly that state',
    async args => {
      const { code, sent } = await accept(args)
      expect({ code, sent }).toEqual({ code: 0, sent: [THIS] })
    },
  )

  test('of two states one has to be named', async () => {
    const holds = [held(HASH), held(OTHER, 'files')]
    const { code, err, sent } = await accept(['--yes'], { holds })
    expect({ code, sent }).toEqual({ code: 2, sent: [] })
    expect(err.split('\n')).toEqual([
      'fairlead accept: more than one state is held; say which:',
      'fairlead accept:   fairlead accept 9f3a1c20b7d4 --config agent.yaml  (control-plane: the new state drops 2 of 3 routes)',
      'fairlead accept:   fairlead accept 9f3a1c20ffff --config agent.yaml  (files: the new state drops 2 of 3 routes)',
      '',
    ])
    expect((await accept(['9f3a1c20b'], { holds })).sent).toEqual([THIS])
  })

  test('nothing held is nothing to do', async () => {
    expect(await accept([], { holds: [] })).toMatchObject({ code: 0, out: 'nothing is held on proxy-1\n', sent: [] })
  })

  test('a hash that is not held any more is a no', async () => {
    expect(await accept(['abcdef0123'])).toMatchObject({
      code: 1,
      out: '',
      err: 'nothing with the hash abcdef0123 is held on proxy-1; it was accepted, or the state has changed since\n',
      sent: [],
    })
  })

  test.each(['abc', 'not-a-hash', `${HASH}0`])('%s is no hash', async text => {
    const { code, err, sent } = await accept([text])
    expect({ code, sent }).toEqual({ code: 2, sent: [] })
    expect(err).toContain('is not the hash of a held state: 8 to 64 signs')
  })

  test('a state that changed in between is not accepted', async () => {
    const body = { status: 409, code: 'NOT_HELD', detail: 'nothing with this hash is held', remedy: 'Look again.' }
    expect(await accept([HASH], { answer: { status: 409, body } })).toMatchObject({
      code: 1,
      out: SHOWN,
      err: 'not accepted: nothing with this hash is held. Look again.\n',
    })
  })

  test('removals that go by themselves say when', async () => {
    const { out } = await accept(['--yes'], { holds: [held(HASH, 'files', NOW + 9_000)] })
    expect(out).toContain('  It goes through by itself at 2026-11-23T00:00:09.000Z, unless the routes come back.\n')
  })
})

describe('a real agent', () => {
  test('lets go of what it held', async () => {
    const many = Array.from({ length: 12 }, (_, i) => tcpRoute({ id: `r${i}`, externalPort: 10_000 + i }))
    // For local files the guard only settles; here for so long that nobody would wait.
    const { agent, config, write } = await startLoneAgent(
      { 'a.json': { tcpRoutes: many } },
      { policy: { guard: { settle: '1h' } } },
    )
    await waitFor(() => agent.status().routes.length === 12)
    await write('a.json', { tcpRoutes: many.slice(0, 2) })
    const [now] = await waitFor(() => {
      const found = agent.status().held
      return found.length > 0 && found
    })
    const { code, out, err } = await runCli(['accept', now?.hash ?? '', '--config', config])
    expect({ code, err, end: out.split('\n').slice(-2) }).toEqual({
      code: 0,
      err: '',
      end: [`accepted ${now?.hash.slice(0, 12)}: 10 routes go.`, ''],
    })
    expect(out).toContain('    tcp/r11  port 10011  a.json\n')
    await waitFor(() => agent.status().routes.length === 2)
    expect(await runCli(['accept', '--config', config])).toMatchObject({ code: 0, out: 'nothing is held on proxy-1\n' })
  })
})
