/** The drawer over a service: a port of it is edited, or another one added. The port is read anew, with its version. */
import type { ReactElement } from 'react'
import type { Port } from '../../../api/port.ts'
import type { Service } from '../../../api/service.ts'
import { useAsked } from '../../data/asked.ts'
import { usePresets } from '../../data/queries.ts'
import { useClient } from '../../data/runtime-context.tsx'
import { EMPTY_FORM, formOfPort, type PortForm, withPreset, withProtocol } from '../expose/form.ts'
import { PortDrawer } from '../expose/port-drawer.tsx'

type EditDrawerProps = {
  readonly service: Service
  /** Null: another port is added. */
  readonly portId: string | null
  readonly onClose: () => void
}

export function EditDrawer({ service, portId, onClose }: EditDrawerProps): ReactElement {
  return portId === null ? (
    <Added service={service} onClose={onClose} />
  ) : (
    <Edited key={portId} service={service} portId={portId} onClose={onClose} />
  )
}

function Added({ service, onClose }: Pick<EditDrawerProps, 'service' | 'onClose'>): ReactElement {
  const { data: presets } = usePresets()
  const own = presets?.find(({ id }) => id === service.preset)
  const form: PortForm =
    presets === undefined || own === undefined
      ? EMPTY_FORM
      : withPreset(withProtocol(EMPTY_FORM, own.protocol, presets), own, presets)
  return (
    <PortDrawer
      kind="added"
      work={presets === undefined ? null : { target: { kind: 'added', service }, initial: form }}
      onClose={onClose}
    />
  )
}

function Edited({ service, portId, onClose }: EditDrawerProps & { readonly portId: string }): ReactElement {
  const client = useClient()
  const path = `/services/${encodeURIComponent(service.id)}/ports/${encodeURIComponent(portId)}`
  // Read once, when the drawer opens: what others change meanwhile is told by the version, and must not change what one types in.
  const { data, error, refetch } = useAsked({
    queryKey: ['edit', path],
    queryFn: ({ signal }) => client.get<Port>(path, signal),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnMount: 'always',
  })
  return (
    <PortDrawer
      kind="edited"
      work={
        data === undefined
          ? null
          : {
              target: { kind: 'edited', service, port: data.data, etag: data.etag ?? '' },
              initial: formOfPort(data.data),
            }
      }
      failed={error === null || data !== undefined ? undefined : { error, onRetry: () => void refetch() }}
      onClose={onClose}
    />
  )
}
