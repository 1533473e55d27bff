/** API tokens: what people and programs send as `Authorization: Bearer flt_...`. */
import { z } from 'zod'
import { PageQuery, pageOf } from './page.ts'

/** `admin` includes `write`, `write` includes `read`. */
export const Scope = z.enum(['read', 'write', 'admin']).meta({ id: 'Scope' })
export type Scope = z.infer<typeof Scope>

/** For people: what a token is for. */
const Label = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine(text => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text), 'has signs that cannot be seen')

export const TokenInput = z
  .strictObject({
    name: Label,
    scopes: z.array(Scope).min(1).max(3).meta({ description: '`admin` includes `write`, `write` includes `read`.' }),
    projectId: z
      .string()
      .max(100)
      .nullable()
      .optional()
      .meta({ description: 'The only project that it reaches; null or absent: as far as the token that makes it.' }),
    expiresInSeconds: z
      .int()
      .min(60)
      .max(10 * 366 * 86_400)
      .nullable()
      .optional()
      .meta({ description: 'Null or absent: it does not end before the token that makes it.' }),
  })
  .meta({ id: 'TokenInput', example: { name: 'deploy', scopes: ['write'], expiresInSeconds: 7_776_000 } })
export type TokenInput = z.infer<typeof TokenInput>

const shape = {
  id: z.string(),
  name: z.string(),
  scopes: z.array(Scope),
  projectId: z.string().nullable(),
  createdBy: z.string().meta({ description: 'Kind and id of who made it.' }),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  lastUsedAt: z.iso.datetime().nullable().meta({ description: 'To the minute.' }),
}

export const Token = z.object(shape).meta({ id: 'Token' })
export type Token = z.infer<typeof Token>

/** As it is made: the only time that it is shown. */
export const NewToken = z
  .object({ ...shape, token: z.string().meta({ description: 'Shown this once; we keep a hash.' }) })
  .meta({ id: 'NewToken' })
export type NewToken = z.infer<typeof NewToken>

export const TokenQuery = PageQuery.extend({ projectId: z.string().max(100).optional() }).meta({ id: 'TokenQuery' })
export type TokenQuery = z.infer<typeof TokenQuery>

export const TokenPage = pageOf(Token).meta({ id: 'TokenPage' })
export type TokenPage = z.infer<typeof TokenPage>
