/** Exposes a port, in a drawer over the list. */
import type { ReactElement } from 'react'
import { useLocation } from 'wouter'
import { href } from '../../places.ts'
import { Drawer } from '../../widgets/drawer.tsx'

export function ExposeDrawer(): ReactElement {
  const [, navigate] = useLocation()
  return (
    <Drawer title="Expose a port" onClose={() => navigate(href.services())}>
      <div className="form">Comes with the next step.</div>
    </Drawer>
  )
}
