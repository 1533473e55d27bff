/** Exposing a new service, over the list. What the address says is filled in: `?preset=postgres&protocol=tcp&name=orders-db&port=10007`. */
import type { ReactElement } from 'react'
import { useLocation, useSearch } from 'wouter'
import { usePresets } from '../../data/queries.ts'
import { PATHS } from '../../places.ts'
import { addBackends, EMPTY_FORM, type PortForm, splitAddress, withPreset, withProtocol } from '../expose/form.ts'
import { lastProtocol } from '../expose/last-protocol.ts'
import { PortDrawer } from '../expose/port-drawer.tsx'

export function ExposeDrawer(): ReactElement {
  const { data: presets } = usePresets()
  const [, navigate] = useLocation()
  const params = new URLSearchParams(useSearch())
  const number = params.get('port')
  const protocol = params.get('protocol') ?? (number === null ? lastProtocol() : 'tcp')
  const wanted = presets?.find(({ id }) => id === params.get('preset'))
  let form: PortForm = EMPTY_FORM
  if (presets !== undefined && (protocol === 'http' || protocol === 'udp')) form = withProtocol(form, protocol, presets)
  if (presets !== undefined && wanted !== undefined)
    form = { ...withPreset(withProtocol(form, wanted.protocol, presets), wanted, presets), isOwnPreset: true }
  if (number !== null && /^\d{1,5}$/.test(number)) form = { ...form, door: 'wish', wish: number }
  // From the palette: what was typed there may be an address as well as a name.
  const name = params.get('name') ?? ''
  if (/^(?:\d+\.){3}\d+$/.test(splitAddress(name).address)) form = addBackends(form, name, presets ?? [])
  else if (name !== '') form = { ...form, name, isOwnName: true }
  return (
    <PortDrawer
      kind="new"
      work={presets === undefined ? null : { target: { kind: 'new' }, initial: form }}
      onClose={() => navigate(PATHS.services)}
    />
  )
}
