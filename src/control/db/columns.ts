/** Columns that many tables have, each said once. */
import { integer, timestamp } from 'drizzle-orm/pg-core'

/** A moment, to the millisecond: what a JavaScript Date can hold, so that it comes back as it went in. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 })

export const createdAt = () => moment('created_at').notNull().defaultNow()
export const updatedAt = () => moment('updated_at').notNull().defaultNow()

/** Counts up with every change of the row: the ETag of the resource. */
export const version = () => integer('version').notNull().default(1)
