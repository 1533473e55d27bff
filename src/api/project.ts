/** Projects: who shares services and tokens, and how many ports and domains they may have. */
import { z } from 'zod'
import { PageQuery, pageOf } from './page.ts'

/** For projects and services: short, and good in a host name, a file name and a sentence alike. */
export const PlainName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'is not 1 to 63 small letters, digits and hyphens')
  .meta({ example: 'orders-db' })

/** As many as there are numbers, for TCP and for UDP. */
const MAX_QUOTA = 2 * 65_535

const portQuota = z
  .int()
  .min(0)
  .max(MAX_QUOTA)
  .nullable()
  .meta({ description: 'How many numbers and shared host names the project may hold; null: no limit.' })

const domainQuota = z
  .int()
  .min(0)
  .max(MAX_QUOTA)
  .nullable()
  .meta({ description: 'How many HTTP domains, each path counted for itself, the project may hold; null: no limit.' })

export const ProjectInput = z
  .strictObject({ name: PlainName, portQuota: portQuota.default(null), domainQuota: domainQuota.default(null) })
  .meta({ id: 'ProjectInput' })
export type ProjectInput = z.output<typeof ProjectInput>

export const ProjectPatch = z
  .strictObject({ name: PlainName.optional(), portQuota: portQuota.optional(), domainQuota: domainQuota.optional() })
  .meta({ id: 'ProjectPatch' })
export type ProjectPatch = z.output<typeof ProjectPatch>

export const Project = z
  .object({
    id: z.string(),
    name: z.string(),
    portQuota: z.int().nullable(),
    /** Numbers and shared host names that it holds now. */
    portsUsed: z.int(),
    domainQuota: z.int().nullable(),
    /** Domains with a path, of ports that are not public at the moment, too. */
    domainsUsed: z.int(),
    services: z.int(),
    version: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Project' })
export type Project = z.output<typeof Project>

export const ProjectQuery = PageQuery.meta({ id: 'ProjectQuery' })
export type ProjectQuery = z.output<typeof ProjectQuery>

export const ProjectPage = pageOf(Project).meta({ id: 'ProjectPage' })
export type ProjectPage = z.output<typeof ProjectPage>
