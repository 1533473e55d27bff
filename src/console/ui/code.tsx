/** Something to copy: a command, a few lines, a body. */
import type { ReactElement, ReactNode } from 'react'
import { withMarks } from '../words/safe-text.ts'
import { CopyButton } from './copy.tsx'

/** A command, with the prompt that is not copied. */
export function Command({
  children,
  what = 'command',
}: {
  readonly children: string
  readonly what?: string
}): ReactElement {
  return (
    <div className="code">
      <pre tabIndex={0}>
        <span className="p">$ </span>
        {withMarks(children)}
      </pre>
      <CopyButton text={children} what={what} />
    </div>
  )
}

/** Words of a program in one line, such as an error of Traefik. */
export function Quote({
  children,
  what = 'text',
}: {
  readonly children: string
  readonly what?: string
}): ReactElement {
  return (
    <div className="code">
      <pre tabIndex={0}>{withMarks(children)}</pre>
      <CopyButton text={children} what={what} />
    </div>
  )
}

/** Many lines. `children` may be coloured (classes `k`, `s`, `d`, `c`, `hl`, `add`); `text` is what is copied. */
export function CodeBlock({
  text,
  what,
  children,
}: {
  readonly text: string
  readonly what: string
  readonly children?: ReactNode
}): ReactElement {
  return (
    <div className="code block">
      <pre tabIndex={0}>{children ?? text.split('\n').map(withMarks).join('\n')}</pre>
      <CopyButton text={text} what={what} />
    </div>
  )
}
