/** API tokens. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function TokensPage(): ReactElement {
  return (
    <Page title="API tokens">
      <PageHead title="API tokens">Comes with the next step.</PageHead>
    </Page>
  )
}
