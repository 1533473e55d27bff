/** API tokens: what people and programs send as `Authorization: Bearer flt_...`. */
import { z } from 'zod'

/** `admin` includes `write`, `write` includes `read`. */
export const Scope = z.enum(['read', 'write', 'admin'])
export type Scope = z.infer<typeof Scope>
