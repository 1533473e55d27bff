/**
 * Which page is shown for which place, each a chunk of its own. To add one: a row here, a path in places.ts.
 *
 * `/services` and `/services/new` are one page (the drawer is over the list), and so are a service and the edit of its port: the page
 * under a drawer stays as it is, with its scroll place and its filters.
 */
import { type ComponentType, type LazyExoticComponent, lazy } from 'react'
import type { PlaceName } from './places.ts'

/** What every page gets. */
export type PageProps = {
  readonly place: PlaceName
  /** Parts of the path, such as `id`. */
  readonly params: Readonly<Record<string, string>>
}

type Load = () => Promise<{ default: ComponentType<PageProps> }>
type PageEntry = { readonly load: Load; readonly Page: LazyExoticComponent<ComponentType<PageProps>> }

const page = (load: Load): PageEntry => ({ load, Page: lazy(load) })

const overview = page(async () => ({ default: (await import('./pages/overview/overview-page.tsx')).OverviewPage }))
const services = page(async () => ({ default: (await import('./pages/services/services-page.tsx')).ServicesPage }))
const service = page(async () => ({ default: (await import('./pages/service/service-page.tsx')).ServicePage }))
const routes = page(async () => ({ default: (await import('./pages/routes/routes-page.tsx')).RoutesPage }))
const route = page(async () => ({ default: (await import('./pages/routes/route-page.tsx')).RoutePage }))
const nodes = page(async () => ({ default: (await import('./pages/nodes/nodes-page.tsx')).NodesPage }))
const node = page(async () => ({ default: (await import('./pages/nodes/node-page.tsx')).NodePage }))
const ports = page(async () => ({ default: (await import('./pages/ports/ports-page.tsx')).PortsPage }))
const audit = page(async () => ({ default: (await import('./pages/audit/audit-page.tsx')).AuditPage }))
const tokens = page(async () => ({ default: (await import('./pages/tokens/tokens-page.tsx')).TokensPage }))

const PAGES: Readonly<Record<Exclude<PlaceName, 'signIn'>, PageEntry>> = {
  overview,
  services,
  newService: services,
  service,
  editPort: service,
  newPort: service,
  routes,
  route,
  nodes,
  enrol: nodes,
  node,
  ports,
  audit,
  tokens,
}

export const pageOf = (name: Exclude<PlaceName, 'signIn'>): PageEntry['Page'] => PAGES[name].Page

/** The place whose page this is: a drawer lies over the page of its list or of its service, which stays as it is. */
export function pageUnder(name: PlaceName): PlaceName {
  if (name === 'newService') return 'services'
  if (name === 'enrol') return 'nodes'
  return name === 'editPort' || name === 'newPort' ? 'service' : name
}

/** Fetches the code of a page that somebody is about to open. */
export function preloadPage(name: PlaceName): void {
  if (name !== 'signIn') void PAGES[name].load()
}

/** The parts that people reach for next: the drawer that exposes a port, and the menus. Fetched when the page has nothing else to do. */
export function preloadNext(): void {
  void import('./pages/services/expose-drawer.tsx')
  void import('./widgets/menu.tsx')
}
