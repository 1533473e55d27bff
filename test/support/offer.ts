import type { ScriptedProvider } from './scripted-provider.ts'
import type { TestTraefik } from './traefik.ts'
import { waitFor } from './wait-for.ts'

// Traefik asks again after a refused body only when its backoff is over.
const TIMEOUT_MS = 30_000

type Body = {
  readonly tcp?: { readonly services?: Readonly<Record<string, unknown>>; readonly [section: string]: unknown }
} & {
  readonly [section: string]: unknown
}

let offered = 0

/**
 * Serves the body, with a mark of its own in it, and waits for what Traefik makes of it: `applied` once its API shows the mark,
 * or the reason in its log why the whole body was refused.
 */
export async function offer(traefik: TestTraefik, provider: ScriptedProvider, body: Body): Promise<string> {
  offered += 1
  const mark = `offer-${offered}`
  const before = traefik.log().length
  const services = { ...body.tcp?.services, [mark]: { loadBalancer: { servers: [] } } }
  provider.serve({ ...body, tcp: { ...body.tcp, services } })
  const isShown = async () => (await fetch(new URL(`/api/tcp/services/${mark}@http`, traefik.api))).ok
  return waitFor(
    async () => {
      const refusal = /cannot decode configuration data: ([^"]*)/.exec(traefik.log().slice(before))
      if (refusal !== null) return `refused: ${refusal[1]}`
      // Traefik switches its entry points one after the other, the API's among them: the second reading comes after the last of them.
      return (await isShown()) && (await isShown()) && 'applied'
    },
    { what: `Traefik to take or refuse the body ${mark}`, timeoutMs: TIMEOUT_MS },
  )
}
