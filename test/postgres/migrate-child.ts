/** A process that opens the database at the URL that is its argument, says so, and ends. For tests of several that do so at once. */
import { writeSync } from 'node:fs'
import { pino } from 'pino'
import { openDatabase } from '../../src/control/db/client.ts'

const database = await openDatabase({
  url: process.argv[2] ?? '',
  directory: '/nonexistent',
  logger: pino({ level: 'silent' }),
})
writeSync(1, database.controlPlaneId)
await database.close()
