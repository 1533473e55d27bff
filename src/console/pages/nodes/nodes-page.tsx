/** All nodes. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function NodesPage(): ReactElement {
  return (
    <Page title="Nodes">
      <PageHead title="Nodes">Comes with the next step.</PageHead>
    </Page>
  )
}
