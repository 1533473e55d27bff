/** All routes. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function RoutesPage(): ReactElement {
  return (
    <Page title="Routes">
      <PageHead title="Routes">Comes with the next step.</PageHead>
    </Page>
  )
}
