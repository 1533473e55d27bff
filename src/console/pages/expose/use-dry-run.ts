/**
 * What a form would change, asked of the control plane 250 ms after the last key. An answer that is older than the form is dropped;
 * the last plan that was without a fault stays, so that a fault does not empty what one reads.
 */
import { useEffect, useRef, useState } from 'react'
import type { Plan } from '../../../api/plan.ts'
import type { FieldFault } from '../../../api/problem.ts'
import { CallError, type CallFault } from '../../data/problem.ts'
import { useClient } from '../../data/runtime-context.tsx'

const QUIET_MS = 250

export type Asked = { readonly method: 'POST' | 'PATCH'; readonly path: string; readonly body: unknown }

export type DryRun = {
  /** The last one without faults; null: there was none yet. */
  readonly plan: Plan | null
  /** Of the form as it is. */
  readonly problems: readonly FieldFault[]
  /** The call itself went wrong: no answer, not allowed, ... */
  readonly fault: CallFault | null
  /** The answer is to the form as it is now. */
  readonly isCurrent: boolean
}

const NOTHING: DryRun = { plan: null, problems: [], fault: null, isCurrent: false }

/** `asked`: null while the form is not whole. */
export function useDryRun(asked: Asked | null): DryRun {
  const client = useClient()
  const [state, setState] = useState<DryRun & { readonly of: string | null }>({ ...NOTHING, of: null })
  const key = asked === null ? null : JSON.stringify(asked)
  const latest = useRef(asked)
  latest.current = asked

  useEffect(() => {
    if (key === null) return
    const aborter = new AbortController()
    const timer = setTimeout(async () => {
      const wish = latest.current
      if (wish === null) return
      const path = `${wish.path}${wish.path.includes('?') ? '&' : '?'}dryRun=true`
      try {
        const { data } = await client.send<Plan>(wish.method, path, { body: wish.body, signal: aborter.signal })
        const { problems } = data
        setState(before => ({
          plan: problems.length === 0 ? data : before.plan,
          problems,
          fault: null,
          isCurrent: true,
          of: key,
        }))
      } catch (error) {
        if (aborter.signal.aborted) return
        const fault = error instanceof CallError ? error.fault : null
        setState(before => ({ plan: before.plan, problems: fault?.fields ?? [], fault, isCurrent: true, of: key }))
      }
    }, QUIET_MS)
    return () => {
      clearTimeout(timer)
      aborter.abort()
    }
  }, [client, key])

  if (key === null) return { ...NOTHING, plan: state.plan }
  return state.of === key ? state : { plan: state.plan, problems: [], fault: null, isCurrent: false }
}
