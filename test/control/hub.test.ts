import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import type { Database } from '../../src/control/db/client.ts'
import type { ChannelListener, Listening } from '../../src/control/db/connections.ts'
import { beginChange, type Position, readPosition } from '../../src/control/db/revision.ts'
import { announce, createHub, type Hub, type HubEvent, type HubOptions, wakeNodes } from '../../src/control/hub.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { atEnd } from '../support/at-end.ts'
import { onEachDatabase, SILENT } from '../support/database.ts'
import { waitFor } from '../support/wait-for.ts'

const FOREVER = 60_000

/** Reads the table only when it is told to, unless a test wants otherwise. */
async function startHub(database: HubOptions['database'], options: Partial<HubOptions> = {}): Promise<Hub> {
  const hub = createHub({
    database,
    clock: SYSTEM_CLOCK,
    logger: SILENT,
    readIntervalMs: FOREVER,
    gatherMs: 5,
    ...options,
  })
  atEnd(() => hub.stop())
  hub.start()
  await waitFor(() => hub.position() !== null && hub.stats().listening, { what: 'the hub to know the position' })
  return hub
}

function collect(hub: Hub): HubEvent[] {
  const events: HubEvent[] = []
  atEnd(hub.subscribe(event => void events.push(event)))
  return events
}

const here = (hub: Hub): Position => {
  const position = hub.position()
  if (position === null) throw new Error('the hub knows no position')
  return position
}

const wait = (
  hub: Hub,
  options: {
    readonly timeoutMs?: number
    readonly nodeId?: string
    readonly since?: number
    readonly signal?: AbortSignal
  } = {},
) => hub.waitPast(here(hub), { timeoutMs: FOREVER, signal: new AbortController().signal, ...options })

/** As if every notification were lost. */
const deaf = (database: Database): HubOptions['database'] & { readonly gap: () => void } => {
  let heard: ChannelListener | null = null
  return {
    kind: database.kind,
    transaction: database.transaction,
    listen(listener): Listening {
      heard = listener
      return { isConnected: () => true, stop: async () => {} }
    },
    gap: () => heard?.onGap(),
  }
}

onEachDatabase('hub', use => {
  test('a commit ends every wait for it', async () => {
    const hub = await startHub(use())
    const other = await startHub(use())
    const waits = [wait(hub), wait(hub), wait(other)]
    await use().transaction(beginChange)
    expect(await Promise.all(waits)).toEqual(['past', 'past', 'past'])
    expect(hub.position()).toEqual({ epoch: 1, revision: 1 })
    expect(hub.stats().waiting).toBe(0)
  })

  test('a position that is behind waits for nothing', async () => {
    await use().transaction(beginChange)
    const hub = await startHub(use())
    const options = { signal: new AbortController().signal, timeoutMs: FOREVER }
    expect(await hub.waitPast({ epoch: 1, revision: 0 }, options)).toBe('past')
    expect(await hub.waitPast({ epoch: 0, revision: 900 }, options)).toBe('past')
  })

  test('a rolled back change wakes nobody', async () => {
    const hub = await startHub(use())
    const waiting = wait(hub, { timeoutMs: 100 })
    await use()
      .transaction(async tx => {
        await beginChange(tx)
        throw new Error('changed my mind')
      })
      .catch(() => {})
    expect(await waiting).toBe('late')
  })

  test('only the node that is meant is woken', async () => {
    const hub = await startHub(use())
    const one = wait(hub, { nodeId: 'srv_1' })
    const two = wait(hub, { nodeId: 'srv_2', timeoutMs: 200 })
    await use().transaction(tx => wakeNodes(tx, ['srv_1', 'srv_3']))
    expect(await one).toBe('woken')
    expect(await two).toBe('late')
  })

  test('a wake between looking and waiting is not lost', async () => {
    const hub = await startHub(use())
    const since = hub.wakes()
    await use().transaction(tx => wakeNodes(tx, ['srv_1']))
    await waitFor(() => hub.wakes() > since, { what: 'the wake' })
    expect(await wait(hub, { nodeId: 'srv_1', since })).toBe('woken')
    expect(await wait(hub, { nodeId: 'srv_2', since, timeoutMs: 20 })).toBe('late')
    expect(await wait(hub, { nodeId: 'srv_1', since: hub.wakes(), timeoutMs: 20 })).toBe('late')
  })

  test('a wake for nobody in particular is for all', async () => {
    const hub = await startHub(use())
    const waits = [wait(hub, { nodeId: 'srv_1' }), wait(hub, { nodeId: 'srv_2' })]
    const plain = wait(hub, { timeoutMs: 200 })
    await use().transaction(tx => wakeNodes(tx, []))
    expect(await Promise.all(waits)).toEqual(['woken', 'woken'])
    expect(await plain).toBe('late')
  })

  test('an aborted wait leaves nothing behind', async () => {
    const hub = await startHub(use())
    const aborter = new AbortController()
    const waits = Array.from({ length: 1000 }, () => wait(hub, { signal: aborter.signal }))
    expect(hub.stats().waiting).toBe(1000)
    aborter.abort(new Error('gone'))
    const results = await Promise.allSettled(waits)
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(hub.stats().waiting).toBe(0)
    await expect(wait(hub, { signal: aborter.signal })).rejects.toThrow('gone')
  })

  test('release ends waits, also those to come', async () => {
    const hub = await startHub(use())
    const waiting = wait(hub)
    hub.release()
    expect([await waiting, await wait(hub)]).toEqual(['released', 'released'])
  })

  test('events reach subscribers in every process', async () => {
    const hubs = [await startHub(use()), await startHub(use())]
    const heard = hubs.map(collect)
    await use().transaction(async tx => {
      const { revision } = await beginChange(tx)
      await announce(tx, { kind: 'change', ids: ['svc_1'], revision, projectId: 'prj_1' })
      await announce(tx, { kind: 'change', ids: ['prt_1'], revision, projectId: 'prj_1' })
      await announce(tx, { kind: 'node', ids: ['srv_1'], revision: null, projectId: null })
    })
    const wanted: HubEvent[] = [
      { kind: 'change', ids: ['svc_1', 'prt_1'], revision: 1, projectId: 'prj_1' },
      { kind: 'node', ids: ['srv_1'], revision: null, projectId: null },
    ]
    for (const events of heard) await waitFor(() => events.length >= 2, { what: 'the events' })
    expect(heard).toEqual([wanted, wanted])
  })

  test('a change that nobody names may be anything', async () => {
    const hub = await startHub(use())
    const events = collect(hub)
    await use().transaction(beginChange)
    await waitFor(() => events.length > 0, { what: 'the event' })
    expect(events).toEqual([{ kind: 'change', ids: [], revision: 1, projectId: null }])
  })

  test('an event about very much says so', async () => {
    const hub = await startHub(use())
    const events = collect(hub)
    const ids = Array.from({ length: 1000 }, (_, i) => `prt_${i}`)
    await use().transaction(tx => announce(tx, { kind: 'verdict', ids, revision: null, projectId: null }))
    await waitFor(() => events.length > 0, { what: 'the event' })
    expect(events).toEqual([{ kind: 'verdict', ids: [], revision: null, projectId: null }])
  })

  test('a listener that throws keeps nothing from the others', async () => {
    const hub = await startHub(use())
    atEnd(
      hub.subscribe(() => {
        throw new Error('a fault of ours')
      }),
    )
    const events = collect(hub)
    await use().transaction(beginChange)
    await waitFor(() => events.length > 0, { what: 'the event' })
  })

  test('whoever unsubscribed hears nothing more', async () => {
    const hub = await startHub(use())
    const gone: HubEvent[] = []
    hub.subscribe(event => void gone.push(event))()
    const events = collect(hub)
    await use().transaction(beginChange)
    await waitFor(() => events.length > 0, { what: 'the event' })
    expect(gone).toEqual([])
    expect(hub.stats().subscribers).toBe(1)
  })

  test('notifications that are not ours are passed over', async () => {
    const hub = await startHub(use())
    for (const payload of ['', 'null', '{}', '{"kind":"revision"}', '{"kind":"later"}', 'x'.repeat(7000)])
      await use().transaction(tx => tx.execute(sql`select pg_notify('fairlead_changes', ${payload})`))
    const waiting = wait(hub)
    await use().transaction(beginChange)
    expect(await waiting).toBe('past')
  })

  test('a revision whose notification was lost is read', async () => {
    const hub = await startHub(deaf(use()), { readIntervalMs: 20 })
    const events = collect(hub)
    const waiting = wait(hub)
    await use().transaction(beginChange)
    expect(await waiting).toBe('past')
    await waitFor(() => events.length > 0, { what: 'the event' })
    expect(events).toEqual([{ kind: 'change', ids: [], revision: 1, projectId: null }])
  })

  test('a gap reads at once and tells everybody to look', async () => {
    const database = deaf(use())
    const hub = await startHub(database)
    const events = collect(hub)
    const waiting = wait(hub, { nodeId: 'srv_1' })
    await use().transaction(beginChange)
    database.gap()
    expect(await waiting).toBe('woken')
    await waitFor(() => hub.position()?.revision === 1, { what: 'the position to be read' })
    await waitFor(() => events.some(({ revision }) => revision === 1), { what: 'the change' })
    expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(['change', 'verdict', 'node']))
  })

  test('a table that went back begins a new epoch', async () => {
    for (let i = 0; i < 3; i++) await use().transaction(beginChange)
    const hubs = await Promise.all([1, 2].map(() => startHub(use(), { readIntervalMs: 20 })))
    await use().transaction(tx => tx.execute(sql`update revisions set revision = 1`))
    await waitFor(() => hubs.every(hub => hub.position()?.epoch === 2), { what: 'the new epoch' })
    expect(await use().transaction(readPosition)).toEqual({ epoch: 2, revision: 2, fetchedRevision: 1 })
    const audit = await use().transaction(tx =>
      tx.execute(
        sql`select actor_kind, actor_id, action, resource_id, before, after, epoch, revision::int from audit_log`,
      ),
    )
    expect(audit.rows).toEqual([
      {
        ...{ actor_kind: 'system', actor_id: 'hub', action: 'epoch.raise', resource_id: '2', epoch: 2, revision: 2 },
        ...{ before: { epoch: 1, revision: 1, fetchedRevision: 0 }, after: { epoch: 2, revision: 2 } },
      },
    ])
  })
})

describe('without a database', () => {
  test('the hub goes on trying', async () => {
    const hub = createHub({
      database: {
        kind: 'server',
        listen: () => ({ isConnected: () => false, stop: async () => {} }),
        transaction: async () => {
          throw new Error('no database')
        },
      },
      clock: SYSTEM_CLOCK,
      logger: SILENT,
      readIntervalMs: 5,
    })
    atEnd(() => hub.stop())
    hub.start()
    expect(hub.position()).toBe(null)
    expect(await hub.waitPast({ epoch: 1, revision: 1 }, { signal: new AbortController().signal, timeoutMs: 50 })).toBe(
      'late',
    )
    expect(hub.stats()).toEqual({ listening: false, waiting: 0, subscribers: 0, lastReadAt: null })
  })
})
