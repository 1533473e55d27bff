/** One route. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function RoutePage(): ReactElement {
  return (
    <Page title="Route">
      <PageHead title="Route">Comes with the next step.</PageHead>
    </Page>
  )
}
