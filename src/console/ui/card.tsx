/** A card with a head. Its heading names the section for who does not see it. */
import { type ReactElement, type ReactNode, useId } from 'react'

type CardProps = {
  readonly title: ReactNode
  /** At the right of the head: a link, a verdict, a count. */
  readonly aside?: ReactNode
  readonly children: ReactNode
  readonly className?: string
}

/** The children are the rows of the card: put what needs padding into `<div className="card-b">`. */
export function Card({ title, aside, children, className }: CardProps): ReactElement {
  const id = useId()
  return (
    <section className={className === undefined ? 'card' : `card ${className}`} aria-labelledby={id}>
      <div className="card-h">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  )
}
