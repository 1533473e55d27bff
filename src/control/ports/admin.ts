/** What an admin does with a number, each within a change; whoever calls it writes the audit row. */
import { sql } from 'drizzle-orm'
import type { Change } from '../db/revision.ts'
import { type L4, makePortProblem, type PortProblem, restRemedy, restText } from './problem.ts'
import { judgeRest } from './rest.ts'
import { readNodes, readResting } from './rows.ts'

export type AdminWish = { readonly protocol: L4; readonly port: number }

/** Ends the rest of a number, or of a host name on it, now: old clients may reach its next owner. False: it did not rest. */
export async function freePort({ tx }: Change, { protocol, port }: AdminWish, host = ''): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`
    delete from allocated_ports
    where protocol = ${protocol} and port = ${port} and host = ${host} and state = 'resting'`)
  return rowCount === 1
}

/** Keeps a number from being handed out. Null when that is done; it may not be in use, nor rest. */
export async function reservePort(
  { tx }: Change,
  { protocol, port }: AdminWish,
  { note, leastTimeMs }: { readonly note: string | null; readonly leastTimeMs: number },
): Promise<PortProblem | null> {
  const upper = protocol.toUpperCase()
  const here = sql`protocol = ${protocol} and port = ${port}`
  const { rows } = await tx.execute<{ state: string }>(sql`select state from allocated_ports where ${here}`)
  if (rows.some(({ state }) => state === 'used'))
    return makePortProblem('PORT_TAKEN', protocol, `${upper} port ${port} is taken`, 'Release it first.', { port })
  const [resting] = await readResting(tx, here)
  const rest = resting === undefined ? null : judgeRest(resting, await readNodes(tx), { leastTimeMs })
  if (rest !== null && !rest.over) {
    const { leftMs, blockedBy } = rest
    const message = `${upper} port ${port} was released and ${restText(rest)}`
    return makePortProblem('PORT_TAKEN', protocol, message, restRemedy(blockedBy), { port, leftMs, blockedBy })
  }
  await tx.execute(sql`delete from allocated_ports where ${here} and state = 'resting'`)
  await tx.execute(sql`
    insert into allocated_ports (id, protocol, port, state, note)
    values (${`${protocol}-${port}`}, ${protocol}, ${port}, 'reserved', ${note})
    on conflict (protocol, port, host) do update set note = excluded.note`)
  return null
}

/** False: it was not reserved by an admin. */
export async function unreservePort({ tx }: Change, { protocol, port }: AdminWish): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`
    delete from allocated_ports where protocol = ${protocol} and port = ${port} and state = 'reserved'`)
  return rowCount === 1
}
