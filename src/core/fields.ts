/** The fields of routes, each with its schema: text in, canonical value out, or a refusal that names the way out. */
import { z } from 'zod'
import { parseHostName } from './host-sni.ts'
import type { Refusal } from './refusal.ts'
import {
  type Address,
  formatNetwork,
  type HttpUpstreamUrl,
  parseAddress,
  parseHttpUpstream,
  parseNetwork,
} from './upstream.ts'

const refuse = (ctx: z.core.$RefinementCtx, refusal: Refusal): typeof z.NEVER => {
  ctx.addIssue({ code: 'custom', message: refusal.message, params: refusal })
  return z.NEVER
}

const INSTANT = { error: 'is not a time such as 2026-11-23T10:00:00Z (RFC 3339)' }

// The length is checked first: no pattern need see a text of a megabyte.
export const instant = z
  .string(INSTANT)
  .max(64, INSTANT)
  .pipe(z.iso.datetime({ offset: true, ...INSTANT }))
  .transform(text => Date.parse(text))

export const idText = z.string().transform((id, ctx) => {
  if (id === '') return refuse(ctx, { code: 'ID_INVALID', message: 'the id is empty' })
  if (id.length > 200) return refuse(ctx, { code: 'ID_INVALID', message: `an id of ${id.length} signs is too long` })
  if (!id.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(id))
    return refuse(ctx, { code: 'ID_INVALID', message: 'the id holds signs that cannot be printed' })
  return id
})

export const hostName = z.string().transform((text, ctx) => {
  const parsed = parseHostName(text)
  return parsed.ok ? parsed.host : refuse(ctx, { code: 'HOST_NAME_INVALID', ...parsed })
})

/** `""` and `*` mean: no host name. */
export const sniHostName = z.string().transform((text, ctx): string | null => {
  if (text === '' || text === '*') return null
  const parsed = parseHostName(text)
  return parsed.ok ? parsed.host : refuse(ctx, { code: 'HOST_NAME_INVALID', ...parsed })
})

export const address = z.string().transform((text, ctx): Address => {
  const parsed = parseAddress(text)
  return parsed.ok ? parsed.address : refuse(ctx, { code: 'UPSTREAM_INVALID', ...parsed })
})

export const httpUrl = z.string().transform((text, ctx): HttpUpstreamUrl => {
  const parsed = parseHttpUpstream(text)
  return parsed.ok ? parsed.url : refuse(ctx, { code: 'UPSTREAM_INVALID', ...parsed })
})

const PATH_PREFIX = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*$/

export const pathPrefix = z.string().transform((text, ctx) => {
  if (text === '') return '/'
  const remedy = "Write it as /api: a slash, then letters, digits and -._~!$&'()*+,;=:@ between single slashes."
  if (text.length > 500)
    return refuse(ctx, { code: 'FIELD_INVALID', message: `a path prefix of ${text.length} signs is too long`, remedy })
  if (!PATH_PREFIX.test(text))
    return refuse(ctx, {
      code: 'FIELD_INVALID',
      message: 'the path prefix holds signs that it cannot have, or no slash in front',
      remedy,
    })
  if (text.includes('//') || text.split('/').some(part => part === '.' || part === '..')) {
    return refuse(ctx, { code: 'FIELD_INVALID', message: 'the path prefix is not in its shortest form', remedy })
  }
  return text
})

export const port = z.int({ error: 'is not a whole number' }).transform((value, ctx) =>
  value >= 1 && value <= 65535
    ? value
    : refuse(ctx, {
        code: 'PORT_OUT_OF_RANGE',
        message: `port ${value} is outside 1-65535`,
        remedy: 'Choose a port of the pool; port numbers go from 1 to 65535.',
      }),
)

export const wholeNumber = (min: number, max: number) => {
  const error = `is not a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

export const weight = wholeNumber(1, 1000)

/** How many wrong elements of one list are told: the rest would say the same again, and a hostile list may have a million of them. */
const MAX_ELEMENT_FAULTS = 5

/** A list of at most `max` elements, each of which may have its own faults. */
export const list = <T extends z.ZodType>(element: T, max: number) =>
  z.array(z.unknown()).transform((items, ctx): z.output<T>[] => {
    if (items.length > max) {
      const remedy = `Give at most ${max}.`
      return refuse(ctx, { code: 'FIELD_INVALID', message: `a list of ${items.length} is too long`, remedy })
    }
    const values: z.output<T>[] = []
    let wrong = 0
    for (const [i, item] of items.entries()) {
      const parsed = element.safeParse(item)
      if (parsed.success) values.push(parsed.data)
      else {
        for (const issue of parsed.error.issues) ctx.addIssue({ ...issue, path: [i, ...issue.path] })
        wrong += 1
        if (wrong === MAX_ELEMENT_FAULTS) break
      }
    }
    return values
  })

export const cidr = z.string().transform((text, ctx) => {
  const network = parseNetwork(text)
  if (network === null || network.port !== null) {
    return refuse(ctx, {
      code: 'FIELD_INVALID',
      message: 'the entry is not a network',
      remedy: 'Write it as 203.0.113.0/24 or 2001:db8::/32.',
    })
  }
  return formatNetwork(network)
})

/** `500ms`, `10s`, `2m`, between 500 ms and 10 min; out comes the same text in milliseconds, as Go reads it. */
export const duration = z.string().transform((text, ctx) => {
  const parts = /^(\d{1,6})(ms|s|m)$/.exec(text)
  const ms = parts === null ? Number.NaN : Number(parts[1]) * (parts[2] === 'ms' ? 1 : parts[2] === 's' ? 1000 : 60_000)
  if (!(ms >= 500 && ms <= 600_000))
    return refuse(ctx, {
      code: 'FIELD_INVALID',
      message: 'the text is not a duration of 500ms to 10m',
      remedy: 'Write it as 10s.',
    })
  return ms
})

export const plainText = (max: number) =>
  z.string().regex(new RegExp(`^[\\x20-\\x7e\\r\\n\\t]{0,${max}}$`), `is not a text of at most ${max} ASCII signs`)

export const resolverName = z.string().regex(/^[A-Za-z0-9_-]{1,63}$/, 'is not the name of a certificate resolver')
export const absent = <T extends z.ZodType>(schema: T) => schema.nullish().transform(value => value ?? null)
