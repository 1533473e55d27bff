/**
 * Short notes at the foot of the page: what was done, and perhaps one thing to do about it. Polite, never in the way, gone by themselves;
 * one with an action stays until it is closed.
 *
 *   toast({ text: 'orders-db is deleted', action: { label: 'Show the audit log', onClick } })
 */
import { X } from 'lucide-react'
import { type ReactElement, useEffect, useSyncExternalStore } from 'react'
import { Shape } from '../verdict/shapes.tsx'
import { Button } from './button.tsx'

export type Toast = {
  readonly text: string
  readonly tone?: 'plain' | 'wrong'
  readonly action?: { readonly label: string; readonly onClick: () => void }
}

type Shown = Toast & { readonly id: number }

const SHOWN_MS = 6_000
const MOST = 3
let toasts: readonly Shown[] = []
let lastId = 0
const listeners = new Set<() => void>()

function set(next: readonly Shown[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

export function toast(one: Toast): void {
  lastId += 1
  // What is said again stands there once.
  const others = toasts.filter(({ text }) => text !== one.text)
  set([...others, { ...one, id: lastId }].slice(-MOST))
}

const close = (id: number): void => set(toasts.filter(one => one.id !== id))

/** Stands in the shell. */
export function ToastArea(): ReactElement {
  const shown = useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <section className="toasts" aria-label="Notes" aria-live="polite" aria-atomic="false">
      {shown.map(one => (
        <OneToast key={one.id} toast={one} />
      ))}
    </section>
  )
}

function OneToast({ toast: { id, text, tone = 'plain', action } }: { readonly toast: Shown }): ReactElement {
  useEffect(() => {
    if (action !== undefined) return
    const timer = setTimeout(() => close(id), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [id, action])
  return (
    <div className={tone === 'wrong' ? 'toast rejected' : 'toast'}>
      {tone === 'wrong' && <Shape of="rejected" />}
      <p className="grow">{text}</p>
      {action !== undefined && (
        <Button
          size="sm"
          onClick={() => {
            close(id)
            action.onClick()
          }}
        >
          {action.label}
        </Button>
      )}
      <Button size="sm" kind="quiet" icon={X} iconOnly onClick={() => close(id)}>
        Close
      </Button>
    </div>
  )
}
