/** The drawer over a service: a port of it is edited, or another one added. The port is read anew, with its version. */
import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import type { Port } from '../../../api/port.ts'
import type { Service } from '../../../api/service.ts'
import { usePresets } from '../../data/queries.ts'
import { useClient } from '../../data/runtime-context.tsx'
import { ErrorCard, Loading } from '../../ui/states.tsx'
import { Drawer } from '../../widgets/drawer.tsx'
import { EMPTY_FORM, formOfPort, type PortForm, withPreset, withProtocol } from '../expose/form.ts'
import { PortDrawer } from '../expose/port-drawer.tsx'

type EditDrawerProps = {
  readonly service: Service
  /** Null: another port is added. */
  readonly portId: string | null
  readonly onClose: () => void
}

export function EditDrawer({ service, portId, onClose }: EditDrawerProps): ReactElement | null {
  return portId === null ? (
    <Added service={service} onClose={onClose} />
  ) : (
    <Edited key={portId} service={service} portId={portId} onClose={onClose} />
  )
}

function Added({ service, onClose }: Pick<EditDrawerProps, 'service' | 'onClose'>): ReactElement | null {
  const { data: presets, error } = usePresets()
  if (presets === undefined && error === null) return null
  const own = presets?.find(({ id }) => id === service.preset)
  const form: PortForm =
    presets === undefined || own === undefined
      ? EMPTY_FORM
      : withPreset(withProtocol(EMPTY_FORM, own.protocol, presets), own, presets)
  return <PortDrawer target={{ kind: 'added', service }} initial={form} onClose={onClose} />
}

function Edited({ service, portId, onClose }: EditDrawerProps & { readonly portId: string }): ReactElement {
  const client = useClient()
  const path = `/services/${encodeURIComponent(service.id)}/ports/${encodeURIComponent(portId)}`
  // Read once, when the drawer opens: what others change meanwhile is told by the version, and must not change what one types in.
  const { data, error, refetch } = useQuery({
    queryKey: ['edit', path],
    queryFn: ({ signal }) => client.get<Port>(path, signal),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnMount: 'always',
  })
  if (data === undefined)
    return (
      <Drawer title="Edit the port" onClose={onClose}>
        <div className="form">
          {error === null ? (
            <Loading what="the port">{null}</Loading>
          ) : (
            <ErrorCard error={error} what="The port" onRetry={() => void refetch()} />
          )}
        </div>
      </Drawer>
    )
  return (
    <PortDrawer
      target={{ kind: 'edited', service, port: data.data, etag: data.etag ?? '' }}
      initial={formOfPort(data.data)}
      onClose={onClose}
    />
  )
}
