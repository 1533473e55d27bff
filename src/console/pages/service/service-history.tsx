/** The last changes of one service and of its ports. */
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import type { AuditPage, AuditRow } from '../../../api/audit.ts'
import type { Service } from '../../../api/service.ts'
import { type Asked, useAsked } from '../../data/asked.ts'
import { keys } from '../../data/keys.ts'
import { useClient } from '../../data/runtime-context.tsx'
import { PATHS, withQuery } from '../../places.ts'
import { Avatar } from '../../ui/avatar.tsx'
import { Card } from '../../ui/card.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { changeWords } from '../../words/change.ts'

const SHOWN = 5

function useChanges(service: Service): Asked<readonly AuditRow[]> {
  const client = useClient()
  const ids = [service.id, ...service.ports.map(({ id }) => id)]
  return useAsked({
    queryKey: keys.audit({ of: ids.join(',') }),
    queryFn: async ({ signal }) => {
      const pages = await Promise.all(
        ids
          .slice(0, MOST_PORTS)
          .map(id => client.get<AuditPage>(`/audit?limit=${SHOWN}&resourceId=${encodeURIComponent(id)}`, signal)),
      )
      return pages.flatMap(page => page.data.items).sort((one, other) => other.id - one.id)
    },
  })
}

/** A verb that wants an object has one: `exposed it`, `changed a port of it`. */
const itWords = (words: string): string => (/(?: (?:of|to|off)|^\w+)$/.test(words) ? `${words} it` : words)

/** A service with very many ports shows the changes of the first of them. */
const MOST_PORTS = 8

export function ServiceHistory({ service }: { readonly service: Service }): ReactElement {
  const { data: changes, error } = useChanges(service)
  return (
    <Card
      title="History"
      aside={
        <Link className="link sm" href={withQuery(PATHS.audit, { q: service.name })}>
          Audit
        </Link>
      }
    >
      {changes === undefined ? (
        <p className="card-b t3 sm">{error === null ? '' : `It did not come. ${faultOf(error).message}`}</p>
      ) : changes.length === 0 ? (
        <p className="card-b t3 sm">No change is on record.</p>
      ) : (
        <ul className="feed">
          {changes.slice(0, SHOWN).map(({ id, at, actor, action }) => {
            const who = actor.name ?? actor.id
            return (
              <li key={id}>
                <Avatar name={who} isProgram={actor.kind !== 'session'} />
                <p className="trunc">
                  <b>
                    <Text most={28}>{who}</Text>
                  </b>{' '}
                  {itWords(changeWords(action))}
                </p>
                <span className="at">
                  <Ago at={at} />
                </span>
              </li>
            )
          })}
        </ul>
      )}
    </Card>
  )
}
