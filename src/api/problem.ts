/** What every refused request is answered: a problem document (RFC 9457), `application/problem+json`. */
import { z } from 'zod'

export const PROBLEM_TYPE = 'application/problem+json'

/** One fault of one field. */
export const FieldFault = z
  .object({
    field: z
      .string()
      .meta({ description: 'Path of the field, such as `ports[0].externalPort`; empty: the whole body.' }),
    code: z.string(),
    message: z.string(),
    value: z
      .string()
      .optional()
      .meta({ description: 'What was found, cut and printable; absent where it may be a secret.' }),
    remedy: z.string().optional(),
  })
  .meta({ id: 'FieldFault' })

export type FieldFault = z.infer<typeof FieldFault>

/** Further members say what a code is about: `allow`, `retryAfterSeconds`, who holds a port, ... */
export const ProblemDocument = z
  .looseObject({
    type: z.string().meta({ description: '`urn:fairlead:problem:` and the code.' }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable; docs/api.md lists them all.' }),
    detail: z.string(),
    remedy: z.string(),
    fields: z.array(FieldFault).optional(),
    requestId: z.string(),
  })
  .meta({
    id: 'Problem',
    example: {
      type: 'urn:fairlead:problem:NOT_FOUND',
      title: 'There is no such thing',
      status: 404,
      code: 'NOT_FOUND',
      detail: 'there is no service svc_01946f6c8ab17c0e9d3f2b8a5e6c7d10',
      remedy: 'Look for it in the list; it may be gone, or belong to a project that this token does not reach.',
      requestId: 'req_01946f6c8ab17c0e9d3f2b8a5e6c7d10',
    },
  })

export type ProblemDocument = z.infer<typeof ProblemDocument>
