/** An id as a caller may write it, in a path or a query: opaque, and without the one sign that no database takes. */
import { z } from 'zod'

export const ResourceId = z
  .string()
  .min(1)
  .max(200)
  .refine(text => !text.includes('\0'), 'holds a zero byte')
