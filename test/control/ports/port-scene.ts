/** Projects, ports and nodes in a database, in as few words as a test about numbers needs. */
import { sql } from 'drizzle-orm'
import type { Database } from '../../../src/control/db/client.ts'
import { beginChange, type Change, noteFetch, type Position, readPosition } from '../../../src/control/db/revision.ts'
import {
  type Allocation,
  type Attachment,
  allocateTcpPort,
  allocateUdpPort,
  attachHost,
  type PortRules,
  type Released,
  releasePort,
} from '../../../src/control/ports/ports.ts'
import type { L4 } from '../../../src/control/ports/problem.ts'
import type { PortPool } from '../../../src/control/ports/standing.ts'
import { makePortSet } from '../../../src/core/port-set.ts'

export const LEAST_TIME_MS = 60_000

const span = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

type PoolWish = Partial<Record<keyof PortPool, readonly number[]>>

const poolOf = ({ range = [], reserved = [], shared = [], declared }: PoolWish): PortPool => ({
  range: makePortSet(range),
  reserved: makePortSet(reserved),
  shared: makePortSet(shared),
  declared: declared === undefined ? null : makePortSet(declared),
})

/** TCP 10000-10004 and UDP 11000-11004, TCP 443 shared, unless said otherwise. */
export const rulesOf = ({
  tcp = {},
  udp = {},
}: {
  readonly tcp?: PoolWish
  readonly udp?: PoolWish
} = {}): PortRules => ({
  tcp: poolOf({ range: span(10_000, 10_004), shared: [443], ...tcp }),
  udp: poolOf({ range: span(11_000, 11_004), ...udp }),
  leastTimeMs: LEAST_TIME_MS,
})

export type Asked = {
  readonly project?: string
  readonly wanted?: number
  readonly count?: number
  readonly protocol?: L4
}

export function makeScene(database: Database, rules: PortRules = rulesOf()) {
  const change = <T>(work: (change: Change) => Promise<T>): Promise<T> =>
    database.transaction(async tx => work(await beginChange(tx)))

  async function addPort({ tx }: Change, id: string, project: string, protocol: L4): Promise<void> {
    await tx.execute(sql`insert into projects (id, name) values (${project}, ${project}) on conflict do nothing`)
    await tx.execute(
      sql`insert into services (id, project_id, name) values (${`s-${project}`}, ${project}, 's') on conflict do nothing`,
    )
    await tx.execute(sql`
      insert into service_ports (id, service_id, port, protocol) values (${id}, ${`s-${project}`}, 1, ${protocol})
      on conflict do nothing`)
  }

  return {
    change,
    addPort,
    position: (): Promise<Position> => database.transaction(tx => readPosition(tx), { readOnly: true }),

    /** A port of this id claims a number. Nothing is left of it when it gets none. */
    async claim(id: string, { project = 'p', wanted, count, protocol = 'tcp' }: Asked = {}): Promise<Allocation> {
      const request = { servicePortId: id, projectId: project, wanted: wanted ?? null, count: count ?? 1 }
      return change(async mine => {
        await addPort(mine, id, project, protocol)
        const result = await (protocol === 'tcp' ? allocateTcpPort : allocateUdpPort)(mine, request, rules)
        if (!result.ok) await mine.tx.execute(sql`delete from service_ports where id = ${id}`)
        return result
      })
    },

    async attach(id: string, host: string, { project = 'p', port = 443 } = {}): Promise<Attachment> {
      return change(async mine => {
        await addPort(mine, id, project, 'tcp')
        const result = await attachHost(mine, { servicePortId: id, projectId: project, port, host }, rules)
        if (!result.ok) await mine.tx.execute(sql`delete from service_ports where id = ${id}`)
        return result
      })
    },

    /** The port of this id is deleted, as an API does it. */
    release: (id: string): Promise<readonly Released[]> =>
      change(async mine => {
        const released = await releasePort(mine, id)
        await mine.tx.execute(sql`delete from service_ports where id = ${id}`)
        return released
      }),

    /** A node that has applied everything up to now, unless it is said what. */
    addNode: (id: string, { applied }: { readonly applied?: Position | null } = {}): Promise<void> =>
      database.transaction(async tx => {
        const now = await readPosition(tx)
        const known = applied === undefined ? now : applied
        await tx.execute(sql`
          insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision, applied_epoch, applied_revision)
          values (${id}, ${id}, ${id}, ${now.epoch}, ${now.revision}, ${known?.epoch ?? null}, ${known?.revision ?? null})`)
      }),

    /** Some node is sent what is expected now. */
    fetch: (): Promise<boolean> => database.transaction(async tx => noteFetch(tx, await readPosition(tx))),

    /** The node has applied what is expected now. */
    acknowledge: (id: string): Promise<void> =>
      database.transaction(async tx => {
        const { epoch, revision } = await readPosition(tx)
        await tx.execute(
          sql`update nodes set applied_epoch = ${epoch}, applied_revision = ${revision} where id = ${id}`,
        )
      }),

    setStatus: (id: string, status: 'active' | 'lost' | 'retired'): Promise<void> =>
      database.transaction(async tx => {
        await tx.execute(sql`update nodes set status = ${status} where id = ${id}`)
      }),

    setQuota: (project: string, quota: number | null): Promise<void> =>
      database.transaction(async tx => {
        await tx.execute(sql`insert into projects (id, name) values (${project}, ${project}) on conflict do nothing`)
        await tx.execute(sql`update projects set port_quota = ${quota} where id = ${project}`)
      }),

    /** Everything that rests has rested so much longer. */
    pass: (ms: number): Promise<void> =>
      database.transaction(async tx => {
        await tx.execute(
          sql`update allocated_ports set released_at = released_at - ${ms} * interval '1 ms' where state = 'resting'`,
        )
      }),

    /** What a service port knows of its number. */
    async external(id: string) {
      const { rows } = await database.transaction(tx =>
        tx.execute(sql`
          select external_port as first, external_port_end as last, shared, sni_hostname as host from service_ports where id = ${id}`),
      )
      return rows[0] ?? null
    },

    /** `tcp 10001 used a`, ... */
    async claims(): Promise<string[]> {
      const { rows } = await database.transaction(tx =>
        tx.execute<{ line: string }>(sql`
          select protocol || ' ' || port || case host when '' then '' else ' ' || host end || ' ' || state
            || coalesce(' ' || service_port_id, ' ' || released_by, '') as line
          from allocated_ports order by protocol, port, host`),
      )
      return rows.map(({ line }) => line)
    },
  }
}

export type Scene = ReturnType<typeof makeScene>
