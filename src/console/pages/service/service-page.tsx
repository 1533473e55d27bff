/** One service. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function ServicePage(): ReactElement {
  return (
    <Page title="Service">
      <PageHead title="Service">Comes with the next step.</PageHead>
    </Page>
  )
}
