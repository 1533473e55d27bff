/** The last changes, as the audit log has them, in sentences. */
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import type { Overview } from '../../../api/overview.ts'
import { useServiceNames } from '../../data/names.ts'
import { href } from '../../places.ts'
import { Avatar } from '../../ui/avatar.tsx'
import { Card } from '../../ui/card.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { actorWords, changeWords } from '../../words/change.ts'

export function LastChanges({ overview }: { readonly overview: Overview }): ReactElement | null {
  const names = useServiceNames()
  if (overview.lastChanges.length === 0) return null
  return (
    <Card
      title="Last changes"
      aside={
        <Link className="link sm" href={href.audit()}>
          Audit
        </Link>
      }
    >
      <ul className="feed">
        {overview.lastChanges.map(row => {
          const { id, at, actor, action, resource } = row
          const name = names.get(resource.id)
          const to = resource.kind === 'node' ? href.node(resource.id) : href.service(resource.id)
          const who = actorWords(row)
          return (
            <li key={id}>
              <Avatar name={who} isProgram={actor.kind !== 'session'} />
              <p>
                <b>
                  <Text most={28}>{who}</Text>
                </b>{' '}
                {changeWords(action)}{' '}
                {name !== undefined && (
                  <Link className="link" href={to}>
                    <Text most={32}>{name}</Text>
                  </Link>
                )}
              </p>
              <span className="at">
                <Ago at={at} suffix />
              </span>
            </li>
          )
        })}
      </ul>
    </Card>
  )
}
