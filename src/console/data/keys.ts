/** Names of what is in the cache. A key that begins with another one is refreshed with it. */

export const keys = {
  overview: ['overview'],
  session: ['session'],

  allServices: ['services'],
  serviceRows: ['services', 'rows'],
  service: (id: string) => ['services', 'one', id],

  allRoutes: ['routes'],
  routeRows: ['routes', 'rows'],
  route: (id: string) => ['routes', 'one', id],
  routeHistory: (id: string) => ['routes', 'one', id, 'history'],

  allNodes: ['nodes'],
  nodeRows: ['nodes', 'rows'],
  node: (id: string) => ['nodes', 'one', id],

  allPools: ['pools'],
  poolList: ['pools', 'list'],
  poolPorts: (protocol: 'tcp' | 'udp') => ['pools', 'ports', protocol],

  projects: ['projects'],
  presets: ['presets'],
  tokens: ['tokens'],

  allAudit: ['audit'],
  audit: (filters: Readonly<Record<string, string | null>>) => ['audit', filters],
} as const
