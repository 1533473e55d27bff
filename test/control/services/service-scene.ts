/** A control plane with projects and nodes, for tests of services: what people ask over HTTP, and what it leaves in the database. */
import { sql } from 'drizzle-orm'
import type { Database } from '../../../src/control/db/client.ts'
import { noteFetch, readPosition } from '../../../src/control/db/revision.ts'
import { nodeStatus, nodes } from '../../../src/control/db/schema-nodes.ts'
import { readRoutes } from '../../../src/control/services/routes.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { type Ask, type ControlApp, controlApp } from '../../support/control-app.ts'

export const SETTINGS = `
publicHost: proxy.example.com
ports: { tcp: 10000-10005, udp: 11000-11003, shared: "443,5432", reserved: 10005 }
`

export type ServiceScene = {
  readonly control: ControlApp
  readonly admin: Ask
  /** Lets the clock of the control plane go on. */
  advance(ms: number): void
  /** Makes a project and a token that reaches it alone. */
  tenant(name: string): Promise<{ readonly projectId: string; readonly ask: Ask }>
  /** Makes a service; throws when it is not taken. */
  // biome-ignore lint/suspicious/noExplicitAny: tests take what they know to be there
  service(body: object, ask?: Ask): Promise<any>
  /** `tcp 10000 used SERVICE/PORT` for each claim. */
  claims(): Promise<string[]>
  audit(): Promise<Record<string, unknown>[]>
  routes(): ReturnType<typeof readRoutes>
  /** A node was told of all that is. */
  fetched(): Promise<void>
  /** An active node, with what it has reported. */
  node(
    name: string,
    report?: { entryPoints?: readonly string[]; openConnections?: Record<string, number> },
  ): Promise<void>
  close(): Promise<void>
}

export async function serviceScene(database: Database, settings = SETTINGS): Promise<ServiceScene> {
  let ahead = 0
  const clock = { ...SYSTEM_CLOCK, now: () => Date.now() + ahead }
  const control = await controlApp({ settings, deps: { database, clock } })
  const admin = control.asAdmin
  const rowsOf = async <T extends Record<string, unknown>>(query: ReturnType<typeof sql>) =>
    (await database.transaction(tx => tx.execute<T>(query), { readOnly: true })).rows
  return {
    control,
    admin,
    advance(ms) {
      ahead += ms
    },
    async tenant(name) {
      const projectId = await control.project(name)
      return { projectId, ask: control.as(await control.tokenFor({ scopes: ['write'], projectId })) }
    },
    async service(body, ask = admin) {
      const reply = await ask('POST', '/services', body)
      if (reply.status !== 201) throw new Error(reply.text)
      return reply.json
    },
    async claims() {
      const rows = await rowsOf<{
        protocol: string
        port: number
        host: string
        state: string
        name: string | null
      }>(sql`
        select a.protocol, a.port, a.host, a.state, s.name from allocated_ports a
          left join service_ports p on p.id = a.service_port_id left join services s on s.id = p.service_id
        order by a.protocol, a.port, a.host`)
      return rows.map(({ protocol, port, host, state, name }) =>
        [protocol, port, host, state, name].filter(part => part !== '' && part !== null).join(' '),
      )
    },
    audit: () =>
      rowsOf<Record<string, unknown>>(sql`
        select action, resource_id as id, revision is not null as told, removed_routes as removed from audit_log order by audit_log.id`),
    routes: () => database.transaction(readRoutes, { readOnly: true }),
    async fetched() {
      await database.transaction(async tx => noteFetch(tx, await readPosition(tx)))
    },
    async node(name, { entryPoints, openConnections = {} } = {}) {
      await database.transaction(async tx => {
        await tx.insert(nodes).values({ id: name, name, publicKey: name, enrolledEpoch: 1, enrolledRevision: 0 })
        await tx.insert(nodeStatus).values({
          nodeId: name,
          reportSeq: 1,
          reportedAt: new Date(),
          report: {},
          openConnections,
          entryPoints:
            entryPoints?.map(address => ({
              name: address,
              address,
              protocol: address.endsWith('/udp') ? 'udp' : 'tcp',
            })) ?? null,
        })
      })
    },
    close: () => control.close(),
  }
}
