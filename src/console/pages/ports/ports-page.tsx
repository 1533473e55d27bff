/** The pools. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function PortsPage(): ReactElement {
  return (
    <Page title="Ports">
      <PageHead title="Ports">Comes with the next step.</PageHead>
    </Page>
  )
}
