/** The side bar: find, places, the link, the person. In small windows the same stands in a sheet (menu-sheet.tsx). */
import {
  Boxes,
  Grid3x3,
  History,
  KeyRound,
  LayoutDashboard,
  type LucideIcon,
  Route,
  Search,
  Server,
} from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { useNodes, useOverview, useServiceRows } from '../data/queries.ts'
import { useIsLinkUp } from '../data/runtime-context.tsx'
import { MOD_KEY } from '../keyboard/mod-key.ts'
import { preloadPage } from '../pages.tsx'
import { openPalette } from '../palette/open.ts'
import { isWithin, MAIN_PLACES, type PlaceName, SIDE_PLACES, type SidePlace } from '../places.ts'
import { Icon } from '../ui/icon.tsx'
import { useIsIdle } from '../ui/idle.ts'
import { Shape } from '../verdict/shapes.tsx'
import { useTrouble } from '../verdict/use-trouble.ts'
import { grouped } from '../words/count.ts'
import { BrandMark } from './brand.tsx'
import { LinkState } from './link-state.tsx'
import { Person } from './person.tsx'

const ICONS: Readonly<Record<SidePlace['name'], LucideIcon>> = {
  overview: LayoutDashboard,
  services: Boxes,
  routes: Route,
  nodes: Server,
  ports: Grid3x3,
  audit: History,
  tokens: KeyRound,
}

export function SideBar(): ReactElement {
  return (
    <>
      <Link className="brand" href="/">
        <BrandMark />
        <span>Fairlead</span>
      </Link>
      <button type="button" className="find" onClick={openPalette}>
        <Icon of={Search} size="s" />
        <span>Find or do…</span>
        <kbd className="hide-sm" aria-hidden>
          {MOD_KEY === '⌘' ? '⌘K' : 'Ctrl K'}
        </kbd>
      </button>
      <nav className="nav" aria-label="Main">
        {MAIN_PLACES.map(place => (
          <NavLink key={place.name} place={place} count={<Count of={place.name} />} />
        ))}
      </nav>
      <nav className="nav" aria-label="Administration">
        {SIDE_PLACES.map(place => (
          <NavLink key={place.name} place={place} />
        ))}
      </nav>
      <div className="side-foot">
        <LinkState />
        <Person />
      </div>
    </>
  )
}

function NavLink({ place, count }: { readonly place: SidePlace; readonly count?: ReactNode }): ReactElement {
  const [path] = useLocation()
  const preload = (): void => preloadPage(place.name)
  return (
    <Link
      href={place.path}
      onPointerEnter={preload}
      onFocus={preload}
      {...(isWithin(path, place.path) ? { 'aria-current': 'page' as const } : {})}
    >
      <Icon of={ICONS[place.name]} />
      {place.label}
      {count}
    </Link>
  )
}

function Count({ of }: { readonly of: PlaceName }): ReactElement | null {
  switch (of) {
    case 'services':
      return <ServiceCount />
    case 'routes':
      return <TroubleCount />
    case 'nodes':
      return <NodeCount />
    default:
      return null
  }
}

/** Asked for when the page has nothing else to do: the palette and the list then have them at once. */
function ServiceCount(): ReactElement | null {
  const { data } = useServiceRows(useIsIdle())
  return data === undefined || data.length === 0 ? null : <span className="n">{grouped(data.length)}</span>
}

function NodeCount(): ReactElement | null {
  const { data } = useNodes()
  const count = data?.filter(({ status }) => status !== 'retired').length ?? 0
  return count === 0 ? null : <span className="n">{grouped(count)}</span>
}

/** The one count that calls: how many routes are not live. */
function TroubleCount(): ReactElement | null {
  const isLinkUp = useIsLinkUp()
  const { data } = useOverview()
  const trouble = useTrouble(data)
  if (data === undefined || trouble === null) return null
  if (!isLinkUp)
    return (
      <span className="n">
        <span aria-hidden>?</span>
        <span className="vh">, not known</span>
      </span>
    )
  if (trouble.count === 0) return null
  return (
    <span className={`n hot ${trouble.worst}`}>
      <Shape of={trouble.worst} size={12} />
      {grouped(trouble.count)}
      <span className="vh"> not live</span>
    </span>
  )
}
