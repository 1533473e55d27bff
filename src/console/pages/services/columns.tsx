/** The columns of the list of services. */
import { useMemo } from 'react'
import { useProjectNames } from '../../data/names.ts'
import { CopyButton } from '../../ui/copy.tsx'
import { Text } from '../../ui/text.tsx'
import { Tile } from '../../ui/tile.tsx'
import { Ago } from '../../ui/time.tsx'
import type { Column } from '../../ui/virtual-table.tsx'
import { worstStanding } from '../../verdict/standing.ts'
import { useDots } from '../../verdict/use-standing.ts'
import { VerdictDot, VerdictMark, whereWords } from '../../verdict/verdict-mark.tsx'
import { presetName } from '../../words/preset.ts'
import type { ListedService, SortBy } from './service-list.ts'

/** More nodes than this: their shapes would fill the row, and the verdict says enough. */
const MOST_DOTS = 8

export function useServiceColumns(sort: SortBy, onSort: (sort: SortBy) => void): readonly Column<ListedService>[] {
  const projects = useProjectNames()
  const dotsOf = useDots()
  return useMemo(
    () => [
      {
        id: 'name',
        head: 'Service',
        width: 'minmax(11rem, 1.3fr)',
        small: 'main',
        isLink: true,
        ...(sort === 'name' ? { sort: 'ascending' as const } : {}),
        onSort: () => onSort('name'),
        cell: ({ service }) => (
          <span className="row g3">
            <Tile preset={service.preset} protocols={service.protocols} />
            <span className="trunc">
              <span className="name">
                <Text most={36}>{service.name}</Text>
              </span>
              <span className="t3 xs block">{presetName(service.preset, service.protocols)}</span>
            </span>
          </span>
        ),
      },
      {
        id: 'address',
        head: 'Address',
        width: 'minmax(12rem, 2fr)',
        small: 'below',
        cell: ({ service: { addresses } }) => {
          const [first, ...more] = addresses
          if (first === undefined) return <span className="t3">not public</span>
          return (
            <span className="row">
              <span className="mono trunc">
                <Text>{first}</Text>
              </span>
              {more.length > 0 && <span className="tag">{more.length} more</span>}
              <CopyButton text={first} what="address" />
            </span>
          )
        },
      },
      {
        id: 'project',
        head: 'Project',
        width: 'minmax(5rem, 0.7fr)',
        cell: ({ service }) => (
          <span className="trunc block">
            <Text most={20}>{projects.get(service.projectId) ?? ''}</Text>
          </span>
        ),
      },
      {
        id: 'nodes',
        head: 'Nodes',
        width: '5.5rem',
        cell: ({ routes }) => {
          // One shape for each node: the worst of the service's routes on it.
          const perRoute = routes.map(dotsOf)
          const voices = perRoute[0] ?? []
          if (voices.length > MOST_DOTS) return <span className="t3">{voices.length}</span>
          return (
            <span className="dots">
              {voices.map(({ voice }, at) => {
                const standing = worstStanding(perRoute.flatMap(dots => dots[at]?.standing ?? []))
                return standing === null ? null : <VerdictDot key={voice.id} standing={standing} of={voice.name} />
              })}
            </span>
          )
        },
      },
      {
        id: 'verdict',
        head: 'Verdict',
        width: 'minmax(8.5rem, 1fr)',
        small: 'end',
        ...(sort === 'verdict' ? { sort: 'ascending' as const } : {}),
        onSort: () => onSort('verdict'),
        cell: ({ standing }) =>
          standing === null ? (
            <span className="t3">–</span>
          ) : (
            <VerdictMark standing={standing} note={whereWords(standing)} />
          ),
      },
      {
        id: 'changed',
        head: 'Changed',
        width: '5rem',
        align: 'right',
        ...(sort === 'changed' ? { sort: 'descending' as const } : {}),
        onSort: () => onSort('changed'),
        cell: ({ service }) => (
          <span className="t3 nowrap">
            <Ago at={service.updatedAt} />
          </span>
        ),
      },
    ],
    [projects, dotsOf, sort, onSort],
  )
}
