/** One service: a card for each port, then its nodes, backends, limits and history. The drawer to edit a port or add one lies over it. */
import { Ellipsis, Pencil, Plus } from 'lucide-react'
import { lazy, type ReactElement, Suspense, useState } from 'react'
import { Link, useLocation } from 'wouter'
import type { Port } from '../../../api/port.ts'
import type { Service } from '../../../api/service.ts'
import { useProjectNames } from '../../data/names.ts'
import { isGone } from '../../data/problem.ts'
import { useService, useSession } from '../../data/queries.ts'
import { useCommand } from '../../keyboard/use-command.ts'
import type { PageProps } from '../../pages.tsx'
import { href, PATHS } from '../../places.ts'
import { Page, PageHead } from '../../shell/page.tsx'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { LazyMenu } from '../../ui/lazy-menu.tsx'
import { Bar, Empty, ErrorCard, Loading } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Tile } from '../../ui/tile.tsx'
import { Day } from '../../ui/time.tsx'
import { presetName, protocolName } from '../../words/preset.ts'
import type { Doomed } from './delete-dialog.tsx'
import { Limits, OnNodes, PortCard } from './port-card.tsx'
import { ServiceHistory } from './service-history.tsx'
import '../overview/overview.css'
import './service.css'

const DeleteDialog = lazy(async () => ({ default: (await import('./delete-dialog.tsx')).DeleteDialog }))
const EndpointsDialog = lazy(async () => ({ default: (await import('./endpoints-dialog.tsx')).EndpointsDialog }))
const RenameDialog = lazy(async () => ({ default: (await import('./rename-dialog.tsx')).RenameDialog }))
const EditDrawer = lazy(async () => ({ default: (await import('./edit-drawer.tsx')).EditDrawer }))

const CRUMBS = [{ label: 'Services', href: href.services() }]

export function ServicePage({ place, params }: PageProps): ReactElement {
  const { data, error, refetch } = useService(params.id ?? '')
  // Who has typed something in the drawer over it keeps that, and is told when it is saved.
  if (data !== undefined && (place !== 'service' || !isGone(error)))
    return <Whole service={data.data} etag={data.etag} place={place} portId={params.portId ?? null} />
  return (
    <Page title="Service" crumbs={CRUMBS}>
      {error !== null ? (
        <ErrorCard
          error={error}
          what="The service"
          onRetry={() => void refetch()}
          back={{ label: 'Services', href: href.services() }}
        />
      ) : (
        <Loading what="the service">
          <div className="card card-b stack g4">
            {[12, 26, 18].map(width => (
              <Bar key={width} width={width} />
            ))}
          </div>
        </Loading>
      )}
    </Page>
  )
}

type WholeProps = {
  readonly service: Service
  readonly etag: string | null
  readonly place: PageProps['place']
  readonly portId: string | null
}

type Question = 'endpoints' | 'rename' | Doomed

function Whole({ service, etag, place, portId }: WholeProps): ReactElement {
  const [question, setQuestion] = useState<Question | null>(null)
  const [, navigate] = useLocation()
  const projects = useProjectNames()
  const mayWrite = useSession().data?.scopes.some(scope => scope !== 'read') === true
  const protocols = [...new Set(service.ports.map(({ protocol }) => protocol))]
  const [first] = service.ports
  const close = (): void => setQuestion(null)
  useCommand('edit', () => (mayWrite && first !== undefined ? navigate(href.editPort(service.id, first.id)) : false))
  useCommand('explain', () => (first === undefined ? false : navigate(href.route(first.id))))
  const deleteService = (): void =>
    setQuestion({ what: 'service', path: `/services/${service.id}`, name: service.name, etag })
  const deletePort = (port: Port): void =>
    setQuestion({
      what: 'port',
      path: `/services/${service.id}/ports/${port.id}`,
      name: port.address ?? `port ${port.port}`,
      etag: `"v${port.version}"`,
    })
  return (
    <>
      <Page
        title={service.name}
        crumbs={CRUMBS}
        action={
          mayWrite ? (
            <span className="row">
              {first !== undefined && (
                <ButtonLink icon={Pencil} href={href.editPort(service.id, first.id)}>
                  Edit
                </ButtonLink>
              )}
              <LazyMenu
                label="More"
                icon={Ellipsis}
                iconOnly
                align="end"
                entries={[
                  { id: 'port', label: 'Add a port', href: href.newPort(service.id) },
                  { id: 'endpoints', label: 'Backends', onSelect: () => setQuestion('endpoints') },
                  { id: 'rename', label: 'Rename', onSelect: () => setQuestion('rename') },
                  { id: 'delete', label: 'Delete', kind: 'danger', onSelect: deleteService },
                ]}
              />
            </span>
          ) : undefined
        }
      >
        <div className="stack">
          <div className="row g3">
            <Tile preset={service.preset} protocols={protocols} large />
            <PageHead title={<Text most={44}>{service.name}</Text>}>
              {presetName(service.preset, protocols)} · project{' '}
              <Text most={28}>{projects.get(service.projectId) ?? service.projectId}</Text> · made{' '}
              <Day at={service.createdAt} />
            </PageHead>
          </div>
          {service.ports.length === 0 ? (
            <Empty
              title="It has no port yet"
              action={
                mayWrite ? (
                  <ButtonLink kind="primary" icon={Plus} href={href.newPort(service.id)}>
                    Add a port
                  </ButtonLink>
                ) : undefined
              }
            >
              A port says where its backends listen, and under which address clients reach them.
            </Empty>
          ) : (
            service.ports.map((port, at) => (
              <PortCard key={port.id} port={port} mayWrite={mayWrite} isFirst={at === 0} onDelete={deletePort} />
            ))
          )}
          <div className="half">
            <NodesCard service={service} />
            <BackendsCard service={service} {...(mayWrite ? { onEdit: () => setQuestion('endpoints') } : {})} />
          </div>
          <div className="half">
            <LimitsCard service={service} mayWrite={mayWrite} />
            <ServiceHistory service={service} />
          </div>
        </div>
      </Page>
      <Suspense>
        {place !== 'service' && (
          <EditDrawer
            service={service}
            portId={place === 'editPort' ? portId : null}
            onClose={() => navigate(href.service(service.id))}
          />
        )}
        {question === 'endpoints' && <EndpointsDialog service={service} etag={etag} onClose={close} />}
        {question === 'rename' && <RenameDialog service={service} etag={etag} onClose={close} />}
        {question !== null && typeof question === 'object' && (
          <DeleteDialog
            doomed={question}
            onClose={close}
            onDeleted={() => {
              close()
              if (question.what === 'service') navigate(PATHS.services)
            }}
          />
        )}
      </Suspense>
    </>
  )
}

function NodesCard({ service }: { readonly service: Service }): ReactElement {
  const open = service.ports.filter(({ isPublic }) => isPublic)
  const [first] = open
  return (
    <Card
      title="On each node"
      aside={
        first !== undefined && (
          <Link className="link sm" href={href.route(first.id)}>
            Explain
          </Link>
        )
      }
    >
      {open.length === 0 && <p className="card-b t3 sm">Nothing of it is public.</p>}
      {open.map(port => (
        <div key={port.id}>
          {open.length > 1 && (
            <p className="card-b t3 xs">
              {protocolName(port.protocol)} port {port.port}
            </p>
          )}
          <OnNodes port={port} />
        </div>
      ))}
    </Card>
  )
}

/** Backends are shown as they are declared: whether one answers is known by the health check of a port, and told in its verdict. */
function BackendsCard({ service, onEdit }: { readonly service: Service; readonly onEdit?: () => void }): ReactElement {
  const isChecked = service.ports.some(({ healthCheck }) => healthCheck !== null)
  return (
    <Card
      title="Backends"
      aside={
        onEdit !== undefined && (
          <Button size="sm" icon={Pencil} onClick={onEdit}>
            Change
          </Button>
        )
      }
    >
      {service.endpoints.length === 0 && <p className="card-b t3 sm">None: connections are closed at once.</p>}
      {service.endpoints.map(({ address, weight }) => (
        <div className="ep" key={address}>
          <span className="mono">
            <Text most={40}>{address}</Text>
          </span>
          <span className="t3">{service.endpoints.length > 1 ? `weight ${weight}` : ''}</span>
          <span className="t3">{isChecked ? 'checked' : 'not checked'}</span>
        </div>
      ))}
    </Card>
  )
}

function LimitsCard({ service, mayWrite }: { readonly service: Service; readonly mayWrite: boolean }): ReactElement {
  return (
    <Card title="Limits">
      {service.ports.length === 0 && <p className="card-b t3 sm">No port, no limits.</p>}
      {service.ports.map(port => (
        <div className="card-b stack tight" key={port.id}>
          {service.ports.length > 1 && (
            <p className="row between">
              <span className="t3 xs">
                {protocolName(port.protocol)} port {port.port}
              </span>
              {mayWrite && (
                <Link className="link sm" href={href.editPort(service.id, port.id)}>
                  Change
                </Link>
              )}
            </p>
          )}
          <Limits port={port} />
        </div>
      ))}
    </Card>
  )
}
