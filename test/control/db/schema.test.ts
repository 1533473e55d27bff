/** What the tables refuse, whatever the code above them does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { MIGRATIONS_FOLDER } from '../../../src/control/db/migrate.ts'
import * as tables from '../../../src/control/db/schema.ts'
import * as access from '../../../src/control/db/schema-access.ts'
import * as log from '../../../src/control/db/schema-log.ts'
import * as nodes from '../../../src/control/db/schema-nodes.ts'
import { onEachDatabase } from '../../support/database.ts'

describe('the migrations', () => {
  test('generating again finds nothing to change', async () => {
    const meta = (name: string) => JSON.parse(readFileSync(join(MIGRATIONS_FOLDER, 'meta', name), 'utf8'))
    const last = meta('_journal.json').entries.length - 1
    const snapshot = meta(`${String(last).padStart(4, '0')}_snapshot.json`)
    const current = generateDrizzleJson({ ...tables, ...access, ...log, ...nodes })
    expect(await generateMigration(snapshot, current)).toEqual([])
    expect(Object.keys(snapshot.tables).length).toBe(Object.keys(current.tables).length)
  })
})

/** Statements that set the scene; each test adds one, and says which constraint refuses it. */
const SCENE = `
  insert into projects (id, name) values ('p', 'p'), ('q', 'q');
  insert into services (id, project_id, name) values ('s', 'p', 's'), ('t', 'q', 's');
  insert into service_ports (id, service_id, port, protocol, domain) values ('web', 's', 80, 'http', 'a.example.com');
  insert into service_ports (id, service_id, port, protocol, external_port) values ('one', 's', 1, 'tcp', 10001);
  insert into service_ports (id, service_id, port, protocol, external_port, shared, sni_hostname)
    values ('sni', 's', 1, 'tcp', 443, true, 'db.example.com');
  insert into allocated_ports (id, protocol, port, state, service_port_id, project_id, claimed_revision)
    values ('tcp-10001', 'tcp', 10001, 'used', 'one', 'p', 1);
  insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision) values ('n', 'n', 'k', 1, 0);
  insert into audit_log (actor_kind, actor_id, action, resource_kind, resource_id) values ('a', 'b', 'c', 'd', 'e')`

const port = (columns: string, values: string) =>
  `insert into service_ports (id, service_id, port, ${columns}) values ('new', 's', 1, ${values})`
const claim = (columns: string, values: string) =>
  `insert into allocated_ports (id, protocol, port, ${columns}) values ('new', 'tcp', ${values})`

const REFUSED: readonly (readonly [string, string, string])[] = [
  ['two projects of one name', `insert into projects (id, name) values ('r', 'p')`, 'projects_name_unique'],
  [
    'two services of one name in a project',
    `insert into services (id, project_id, name) values ('u', 'p', 's')`,
    'services_project_id_name_unique',
  ],
  ['a negative quota', `update projects set port_quota = -1`, 'projects_port_quota_check'],
  ['a negative quota of domains', `update projects set domain_quota = -1`, 'projects_domain_quota_check'],
  [
    'a project that goes before its services',
    `delete from projects where id = 'q'`,
    'services_project_id_projects_id_fk',
  ],
  [
    'an endpoint of weight 0',
    `insert into endpoints (id, service_id, address, weight) values ('e', 's', 'a', 0)`,
    'endpoints_weight_check',
  ],
  [
    'two HTTP routes in one place',
    port('protocol, domain', `'http', 'a.example.com'`),
    'service_ports_domain_path_prefix_unique',
  ],
  ['a port number of 0', `update service_ports set port = 0 where id = 'one'`, 'service_ports_port_check'],
  ['an unknown protocol', port('protocol', `'sctp'`), 'service_ports_protocol_check'],
  ['a domain on a TCP port', port('protocol, domain', `'tcp', 'x'`), 'service_ports_domain_check'],
  [
    'two ports with one number',
    port('protocol, external_port', `'tcp', 10001`),
    'service_ports_protocol_external_port_unique',
  ],
  ['an external number of an HTTP port', port('external_port', '10002'), 'service_ports_external_port_check'],
  [
    'a block that ends where it begins',
    port('protocol, external_port, external_port_end', `'udp', 5, 5`),
    'service_ports_external_port_end_check',
  ],
  [
    'one host name twice on a shared number',
    port('protocol, external_port, shared, sni_hostname', `'tcp', 443, true, 'db.example.com'`),
    'service_ports_external_port_sni_hostname_unique',
  ],
  [
    'a shared number without a host name',
    port('protocol, external_port, shared', `'tcp', 443, true`),
    'service_ports_shared_check',
  ],
  ['a host name on UDP', port('protocol, sni_hostname', `'udp', 'a'`), 'service_ports_sni_hostname_check'],
  ['PROXY protocol version 3', port('protocol, proxy_protocol', `'tcp', 3`), 'service_ports_proxy_protocol_check'],
  [
    'two owners of one number',
    claim('state, service_port_id, project_id, claimed_revision', `10001, 'used', 'sni', 'p', 1`),
    'allocated_ports_protocol_port_host_unique',
  ],
  [
    'a claim without a port',
    claim('state, project_id, claimed_revision', `10002, 'used', 'p', 1`),
    'allocated_ports_state_check',
  ],
  [
    'a rest without a time',
    claim('state, blocked_epoch, blocked_revision', `10002, 'resting', 1, 1`),
    'allocated_ports_state_check',
  ],
  [
    'a reservation that belongs to somebody',
    claim('state, project_id', `10002, 'reserved', 'p'`),
    'allocated_ports_state_check',
  ],
  ['an unknown state of a claim', claim('state', `10002, 'free'`), 'allocated_ports_state_check'],
  ['a reserved host name', claim('state, host', `443, 'reserved', 'a'`), 'allocated_ports_host_check'],
  ['a claimed number 65536', claim('state', `65536, 'reserved'`), 'allocated_ports_port_check'],
  [
    'a port that goes before its claim',
    `delete from service_ports where id = 'one'`,
    'allocated_ports_service_port_id_service_ports_id_fk',
  ],
  [
    'a service that goes before its claims',
    `delete from services where id = 's'`,
    'allocated_ports_service_port_id_service_ports_id_fk',
  ],
  [
    'two nodes of one name',
    `insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision) values ('m', 'n', 'x', 1, 0)`,
    'nodes_name_unique',
  ],
  [
    'two nodes of one key',
    `insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision) values ('m', 'm', 'k', 1, 0)`,
    'nodes_public_key_unique',
  ],
  ['half an acknowledged revision', `update nodes set applied_epoch = 1`, 'nodes_applied_check'],
  [
    'a row for a live route',
    `insert into node_verdicts values ('n', 'tcp', 'r', 'live', 'x', 1, now(), '{}')`,
    'node_verdicts_verdict_check',
  ],
  [
    'an unknown scope',
    `insert into api_tokens (id, name, token_hash, scopes, created_by) values ('k', 'k', 'h', '{root}', 'x')`,
    'api_tokens_scopes_check',
  ],
  ['a second revision row', `insert into revisions (id) values (2)`, 'revisions_one_row_check'],
  [
    'a fetched revision that was never made',
    `update revisions set fetched_revision = 1`,
    'revisions_fetched_revision_check',
  ],
]

onEachDatabase('the tables', use => {
  const run = (...statements: readonly string[]) =>
    use().transaction(async tx => {
      await tx.execute([SCENE, ...statements].join(';'))
      return (await tx.execute<{ count: number }>(sql`select count(*)::int as count from service_ports`)).rows
    })

  test.each(REFUSED)('refuse %s', async (_what, statement, constraint) => {
    await expect(run(statement)).rejects.toMatchObject({ code: 'CONSTRAINT_VIOLATED', constraint })
  })

  test.each([
    ['the same number for TCP and UDP', port('protocol, external_port', `'udp', 10001`)],
    [
      'a claim of that number for UDP',
      `insert into allocated_ports (id, protocol, port, state) values ('u', 'udp', 10001, 'reserved')`,
    ],
    [
      'two host names on a shared number',
      port('protocol, external_port, shared, sni_hostname', `'tcp', 443, true, 'b'`),
    ],
    [
      'the name of a retired node',
      `update nodes set status = 'retired'; insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision) values ('m', 'n', 'x', 1, 0)`,
    ],
    ['another path under one domain', port('protocol, domain, path_prefix', `'http', 'a.example.com', '/api'`)],
  ])('allow %s', async (_what, statements) => {
    await expect(run(statements)).resolves.toEqual([{ count: expect.any(Number) }])
  })

  test.each([
    ['update audit_log set actor_id = null'],
    ['delete from audit_log'],
    ['delete from audit_log where id < 0'],
  ])('keep the audit log from %j', async statement => {
    await expect(run(statement)).rejects.toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      message: 'audit_log is append-only',
    })
  })

  test('a port is private unless it is said to be public', async () => {
    await run()
    const { rows } = await use().transaction(tx => tx.execute(sql`select distinct is_public from service_ports`))
    expect(rows).toEqual([{ is_public: false }])
  })
})
