/** What is told of a number, beside its cell. A look by mouse or keys opens it; a click or Enter goes into it; Escape goes back. */
import {
  type FocusEvent,
  type KeyboardEvent,
  type ReactElement,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { PortFacts, type PortFactsProps } from './port-facts.tsx'

export type PeekPlace = {
  readonly cell: HTMLElement
  /** By a click or Enter: it stays until it is left. */
  readonly isPinned: boolean
}

type PeekProps = {
  readonly place: PeekPlace
  readonly frame: RefObject<HTMLElement | null>
  readonly facts: PortFactsProps
  readonly onClose: () => void
}

const GAP = 8

export function Peek({ place: { cell, isPinned }, frame, facts, onClose }: PeekProps): ReactElement {
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<{ readonly left: number; readonly top: number } | null>(null)
  const isPlaced = at !== null
  const { port } = facts.port

  useLayoutEffect(() => {
    const own = box.current?.getBoundingClientRect()
    const around = frame.current?.getBoundingClientRect()
    if (own === undefined || around === undefined) return
    const from = cell.getBoundingClientRect()
    const isRightFull = from.right + GAP + own.width > around.right
    const left = isRightFull ? from.left - GAP - own.width : from.right + GAP
    const lowest = Math.max(around.top, Math.min(from.top, window.innerHeight - own.height - GAP))
    setAt({ left: Math.max(0, left - around.left), top: lowest - around.top })
  }, [cell, frame])

  // biome-ignore lint/correctness/useExhaustiveDependencies: another number that is opened takes the focus, too
  useEffect(() => {
    // Before it has its place it is not to be seen, and what is not to be seen takes no focus.
    if (isPinned && isPlaced) box.current?.querySelector<HTMLElement>('a, button')?.focus()
  }, [isPinned, isPlaced, port])

  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== 'Escape' || document.querySelector('[role="dialog"]') !== null) return
      if (box.current?.contains(document.activeElement) === true) cell.focus()
      onClose()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [cell, onClose])

  const onBlur = (event: FocusEvent): void => {
    const to = event.relatedTarget
    // A dialog that was opened from here is no leaving.
    if (
      isPinned &&
      to instanceof Element &&
      !event.currentTarget.contains(to) &&
      to.closest('[role="dialog"]') === null
    )
      onClose()
  }
  const stopKeys = (event: KeyboardEvent): void => {
    if (event.key.startsWith('Arrow')) event.stopPropagation()
  }
  return (
    <div
      className="peek"
      role="group"
      aria-label={`Port ${port}`}
      ref={box}
      onBlur={onBlur}
      onKeyDown={stopKeys}
      style={at === null ? { visibility: 'hidden' } : { left: at.left, top: at.top }}
    >
      <PortFacts key={port} {...facts} />
    </div>
  )
}
