/** Copies a text, and says so. */
import { Check, Copy } from 'lucide-react'
import { type ReactElement, useEffect, useState } from 'react'
import { announce } from './announce.ts'
import { Button } from './button.tsx'

const SHOWN_MS = 1_400

type CopyButtonProps = {
  readonly text: string
  /** What is copied: `address`, `command`. */
  readonly what: string
  readonly iconOnly?: boolean
  readonly size?: 'sm' | 'md'
  /** What the key `Y` copies on this page. At most one. */
  readonly isMain?: boolean
}

export function CopyButton({
  text,
  what,
  iconOnly = true,
  size = 'sm',
  isMain = false,
}: CopyButtonProps): ReactElement {
  const [isDone, setDone] = useState(false)
  useEffect(() => {
    if (!isDone) return
    const timer = setTimeout(() => setDone(false), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [isDone])
  const copy = async (): Promise<void> => {
    const done = await copyText(text)
    setDone(done)
    announce(done ? `${what} copied` : `${what} could not be copied`)
  }
  return (
    <Button
      className="copy"
      size={size}
      kind={iconOnly ? 'quiet' : 'plain'}
      iconOnly={iconOnly}
      icon={isDone ? Check : Copy}
      onClick={() => void copy()}
      {...(isMain ? { 'data-copy-main': '' } : {})}
    >
      {iconOnly ? `Copy ${what}` : isDone ? 'Copied' : 'Copy'}
    </Button>
  )
}

/** False when the browser does not let us. */
export async function copyText(text: string): Promise<boolean> {
  try {
    // Not there on plain http to anything but this machine.
    if (navigator.clipboard !== undefined) {
      await navigator.clipboard.writeText(text)
      return true
    }
  } catch {
    // Refused: the older way may still be allowed.
  }
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'vh'
  document.body.append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  return done
}
