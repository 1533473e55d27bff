/** One node. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function NodePage(): ReactElement {
  return (
    <Page title="Node">
      <PageHead title="Node">Comes with the next step.</PageHead>
    </Page>
  )
}
