/** Who changed what. */
import type { ReactElement } from 'react'
import { Page, PageHead } from '../../shell/page.tsx'

export function AuditPage(): ReactElement {
  return (
    <Page title="Audit">
      <PageHead title="Audit">Comes with the next step.</PageHead>
    </Page>
  )
}
