/** Which protocols a list shows. Pure. */
export type ProtocolFilter = 'all' | 'http' | 'tcp' | 'udp'

export const PROTOCOL_FILTERS = ['all', 'http', 'tcp', 'udp'] as const satisfies readonly ProtocolFilter[]

/** What cannot be read means all. */
export const protocolOf = (text: string | null): ProtocolFilter => PROTOCOL_FILTERS.find(one => one === text) ?? 'all'
