/** Lists: `?limit=&cursor=`, answered with some items and where the next ones begin. */
import { z } from 'zod'

export const MAX_PAGE = 500

export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100).meta({ description: 'How many items at most.' }),
  cursor: z.string().min(1).max(500).optional().meta({ description: '`nextCursor` of the page before; opaque.' }),
})

export type PageQuery = z.infer<typeof PageQuery>

/** The answer of a list. `nextCursor` is null on the last page. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })
