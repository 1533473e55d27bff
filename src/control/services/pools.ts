/** The pools as the API shows them: whose a number is, where the asker may know; and what an admin does with one. */
import { sql } from 'drizzle-orm'
import type { Pool, PoolOwner, PoolPort } from '../../api/pool.ts'
import { parseHostName } from '../../core/host-sni.ts'
import { type Actor, sees } from '../access/actor.ts'
import type { Tx } from '../db/transaction.ts'
import { ApiError } from '../http/api-error.ts'
import type { Mutation } from '../http/write.ts'
import { announce } from '../hub.ts'
import { freePort, reservePort, unreservePort } from '../ports/admin.ts'
import { choosePorts } from '../ports/choice.ts'
import { type PoolState, type PortEntry, readPool } from '../ports/pools.ts'
import { blockersOf, type L4 } from '../ports/problem.ts'
import { readPoolFacts } from '../ports/rows.ts'
import { blockerView } from './place.ts'
import type { Room } from './ports.ts'
import { type Owner, readOwners } from './rows.ts'
import { type Ground, readGround } from './rules.ts'

const NO_QUOTA = { limit: null, used: 0, resting: 0 }

async function poolView(tx: Tx, protocol: L4, { rules }: Ground): Promise<Pool> {
  const pool = rules[protocol]
  const { counts, ports } = await readPool(tx, protocol, rules)
  const { view } = await readPoolFacts(tx, { protocol, projectId: null, leastTimeMs: rules.leastTimeMs })
  const next = choosePorts({ protocol, wanted: null, count: 1 }, pool, view, NO_QUOTA)
  const { total, free, used, resting, reserved, undeclared } = counts
  const rests = ports.flatMap(({ rest }) => rest ?? [])
  return {
    protocol,
    range: pool.range.text,
    ...{ total, free, used, resting, reserved, undeclared },
    shared: ports
      .filter(({ port }) => pool.shared.has(port))
      .map(({ port, owners }) => ({ port, hosts: owners.length, declared: pool.declared?.has(port) !== false })),
    next: next.ok ? next.first : null,
    blockedBy: blockersOf(rests).map(({ name }) => name),
  }
}

export async function readPools(tx: Tx, { config }: Pick<Room, 'config'>): Promise<Pool[]> {
  const ground = await readGround(tx, config)
  return [await poolView(tx, 'tcp', ground), await poolView(tx, 'udp', ground)]
}

type Block = { readonly id: string; readonly first: number; readonly last: number }

async function readBlocks(tx: Tx, protocol: L4): Promise<ReadonlyMap<string, Block>> {
  const { rows } = await tx.execute<Block>(sql`
    select id, external_port as first, external_port_end as last from service_ports
    where protocol = ${protocol} and external_port_end is not null`)
  return new Map(rows.map(block => [block.id, block]))
}

type View = {
  readonly actor: Actor
  readonly owners: ReadonlyMap<string, Owner>
  readonly blocks: ReadonlyMap<string, Block>
  readonly leastTimeMs: number
}

function entryView(entry: PortEntry, { actor, owners, blocks, leastTimeMs }: View): PoolPort {
  const { port, state, inPool, since, rest, note } = entry
  const seen = entry.owners.flatMap(({ servicePortId, host }): PoolOwner[] => {
    const owner = owners.get(servicePortId)
    return owner === undefined || !sees(actor, owner.projectId) ? [] : [{ ...owner, host: host === '' ? null : host }]
  })
  const whole = seen.find(({ host }) => host === null) ?? null
  const block = whole === null ? undefined : blocks.get(whole.portId)
  return {
    ...{ port, state, inPool, owner: whole, owners: seen, ownerCount: entry.owners.length },
    since: since?.toISOString() ?? null,
    restsUntil: rest === null || since === null ? null : new Date(since.getTime() + leastTimeMs).toISOString(),
    blockedBy: rest === null ? [] : rest.blockedBy.map(blockerView),
    note,
    blockStart: block?.first ?? null,
    blockEnd: block?.last ?? null,
  }
}

async function viewPorts(
  tx: Tx,
  actor: Actor,
  protocol: L4,
  ground: Ground,
  state: PoolState,
  only?: number,
): Promise<PoolPort[]> {
  const entries = only === undefined ? state.ports : state.ports.filter(({ port }) => port === only)
  const owners = await readOwners(
    tx,
    entries.flatMap(entry => entry.owners.map(({ servicePortId }) => servicePortId)),
  )
  const blocks = await readBlocks(tx, protocol)
  const view = { actor, owners, blocks, leastTimeMs: ground.rules.leastTimeMs }
  return entries.map(entry => entryView(entry, view))
}

/** Every number of a pool, ascending. */
export async function readPoolPorts(
  tx: Tx,
  actor: Actor,
  protocol: L4,
  { config }: Pick<Room, 'config'>,
): Promise<PoolPort[]> {
  const ground = await readGround(tx, config)
  return viewPorts(tx, actor, protocol, ground, await readPool(tx, protocol, ground.rules))
}

export type Place = { readonly protocol: L4; readonly number: number }

const nameOf = ({ protocol, number }: Place): string => `${protocol.toUpperCase()} port ${number}`

async function readEntry(m: Mutation, { protocol, number }: Place, ground: Ground): Promise<PoolPort> {
  const state = await readPool(m.tx, protocol, ground.rules)
  const [entry] = await viewPorts(m.tx, m.actor, protocol, ground, state, number)
  if (entry === undefined) throw new ApiError('PORT_OUT_OF_RANGE', `${nameOf({ protocol, number })} is not in the pool`)
  return entry
}

type Act = 'free' | 'reserve' | 'unreserve'

/** Does it within a change, with its audit row; resolves with the number as it is now. */
async function act(
  m: Mutation,
  room: Room,
  { place, action, host = '' }: { readonly place: Place; readonly action: Act; readonly host?: string },
  work: (ground: Ground) => Promise<void>,
): Promise<PoolPort> {
  const { revision } = await m.change()
  const ground = await readGround(m.tx, room.config)
  const before = await readEntry(m, place, ground)
  await work(ground)
  const after = await readEntry(m, place, ground)
  const resourceId = `${place.protocol}-${place.number}${host === '' ? '' : `-${host}`}`
  await m.audit({ action: `pool.${action}`, resourceKind: 'pool-port', resourceId, before, after })
  await announce(m.tx, { kind: 'change', ids: [], revision, projectId: null })
  return after
}

/** Ends the rest of a number, or of a host name on it, now: old clients may reach its next owner. */
export async function freeNumber(m: Mutation, room: Room, place: Place, host: string): Promise<PoolPort> {
  const parsed = host === '' ? null : parseHostName(host)
  const name = parsed === null ? '' : parsed.ok ? parsed.host : host
  return act(m, room, { place, action: 'free', host: name }, async () => {
    const freed = await freePort(await m.change(), { protocol: place.protocol, port: place.number }, name)
    if (!freed)
      throw new ApiError('CONFLICT', `${name === '' ? '' : `${name} on `}${nameOf(place)} does not rest`, {
        remedy: 'Nothing to do: only what rests can be freed.',
      })
  })
}

/** Keeps a number from being handed out. */
export async function reserveNumber(m: Mutation, room: Room, place: Place, note: string | null): Promise<PoolPort> {
  return act(m, room, { place, action: 'reserve' }, async ({ rules }) => {
    const { protocol, number: port } = place
    const pool = rules[protocol]
    if (pool.shared.has(port))
      throw new ApiError('PORT_SHARED', `${nameOf(place)} is shared by host name`, {
        remedy: 'Take it out of ports.shared of the settings first.',
      })
    if (!pool.range.has(port)) throw new ApiError('PORT_OUT_OF_RANGE', `${nameOf(place)} is outside ${pool.range.text}`)
    const problem = await reservePort(await m.change(), { protocol, port }, { note, leastTimeMs: rules.leastTimeMs })
    if (problem !== null)
      throw new ApiError(problem.code, problem.message, {
        remedy: problem.remedy,
        extra: { restsForMs: problem.leftMs, blockedBy: problem.blockedBy.map(blockerView) },
      })
  })
}

/** Gives back what an admin has reserved; what the settings reserve stays. */
export async function unreserveNumber(m: Mutation, room: Room, place: Place): Promise<PoolPort> {
  return act(m, room, { place, action: 'unreserve' }, async ({ rules }) => {
    const { protocol, number: port } = place
    if (await unreservePort(await m.change(), { protocol, port })) return
    const bySettings = rules[protocol].reserved.has(port)
    throw new ApiError('CONFLICT', `${nameOf(place)} is ${bySettings ? 'reserved by the settings' : 'not reserved'}`, {
      remedy: bySettings ? 'Take it out of ports.reserved of the settings.' : 'Nothing to do.',
    })
  })
}
