/**
 * What stands where there is no content: nothing yet, nothing found, not come, not come yet.
 *
 *   <Loading>...</Loading>     shows its skeleton only after 200 ms: what comes at once must not flicker
 *   <ErrorCard error={...} what="The list" onRetry={...} />    one failed card does not take the page
 */
import { RotateCw } from 'lucide-react'
import { type ReactElement, type ReactNode, useEffect, useState } from 'react'
import { CallError, type CallFault, isPassing } from '../data/problem.ts'
import { clockWords } from '../words/time.ts'
import { Button, ButtonLink } from './button.tsx'
import { Command } from './code.tsx'

const SKELETON_AFTER_MS = 200

/** True once a wait is long enough to be shown. */
export function useIsSlow(): boolean {
  const [isSlow, setSlow] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SKELETON_AFTER_MS)
    return () => clearTimeout(timer)
  }, [])
  return isSlow
}

/** `what`: said to who does not see it, `services`. */
export function Loading({
  what,
  children,
}: {
  readonly what: string
  readonly children: ReactNode
}): ReactElement | null {
  return useIsSlow() ? (
    <div aria-busy="true" className="contents">
      <span className="vh">Loading {what}</span>
      {children}
    </div>
  ) : null
}

/** A grey bar in place of a word; `width` in rem. */
export function Bar({ width = 8 }: { readonly width?: number }): ReactElement {
  return <span className="sk" style={{ inlineSize: `${width}rem` }} aria-hidden />
}

export function Ring(): ReactElement {
  return (
    <svg className="art" viewBox="0 0 168 72" fill="none" aria-hidden="true" focusable="false">
      <path
        d="M2 44c34 0 40-16 82-16s48-16 82-16"
        stroke="var(--line-strong)"
        strokeWidth="3"
        strokeLinecap="round"
        strokeDasharray="1 8"
      />
      <circle cx="84" cy="34" r="24" stroke="var(--text)" strokeWidth="6" />
      <path d="M2 44c30 0 40-13 62-16" stroke="var(--accent)" strokeWidth="4" strokeLinecap="round" />
    </svg>
  )
}

type EmptyProps = {
  readonly title: ReactNode
  readonly children: ReactNode
  /** One button. */
  readonly action?: ReactNode
  /** The same by terminal. */
  readonly command?: string
  readonly art?: boolean
}

/** What would be here. */
export function Empty({ title, children, action, command, art = true }: EmptyProps): ReactElement {
  return (
    <div className="card">
      <div className="empty">
        {art && <Ring />}
        <h2>{title}</h2>
        <p>{children}</p>
        {action}
        {command !== undefined && (
          <>
            <p className="or">or from a terminal</p>
            <Command>{command}</Command>
          </>
        )}
      </div>
    </div>
  )
}

/** A filter that leaves nothing: another state than nothing at all. */
export function NoMatch({
  title,
  children,
  onClear,
}: {
  title: ReactNode
  children?: ReactNode
  onClear: () => void
}): ReactElement {
  return (
    <Empty title={title} art={false} action={<Button onClick={onClear}>Clear filters</Button>}>
      {children}
    </Empty>
  )
}

type ErrorCardProps = {
  readonly error: unknown
  /** What did not come: `The list`, `The service`. */
  readonly what: string
  readonly onRetry?: () => void
  /** Where to go when it is not there, or not for this person. */
  readonly back?: { readonly label: string; readonly href: string }
  /** What suffers from it; nearly always: nothing. */
  readonly aftermath?: string
}

const SERVING = 'Routes go on serving; only this is missing.'

export function ErrorCard({ error, what, onRetry, back, aftermath = SERVING }: ErrorCardProps): ReactElement {
  const fault = faultOf(error)
  const title = fault.status === 404 ? `${what} is not there` : `${what} did not come`
  const isFinal = fault.status === 404 || fault.status === 403
  return (
    <div className="card" role="group" aria-label={title}>
      <div className="empty">
        <Ring />
        <h2>{title}</h2>
        <p>
          {fault.message} {fault.status === null || fault.status >= 500 ? aftermath : fault.remedy}
          {isPassing(error) && onRetry !== undefined && ' It is tried again by itself.'}
        </p>
        {isFinal && back !== undefined ? (
          <ButtonLink href={back.href}>{back.label}</ButtonLink>
        ) : (
          onRetry !== undefined && (
            <Button icon={RotateCw} onClick={onRetry}>
              Try again
            </Button>
          )
        )}
        <p className="or">
          {fault.requestId !== null && <>request {fault.requestId}, </>}
          {clockWords(new Date(fault.at))}
        </p>
      </div>
    </div>
  )
}

/** Of anything that was thrown. */
export function faultOf(error: unknown): CallFault {
  if (error instanceof CallError) return error.fault
  return {
    status: null,
    code: null,
    message: 'The console itself has a fault.',
    remedy: 'Load the page again.',
    requestId: null,
    fields: [],
    at: Date.now(),
    extra: {},
  }
}
