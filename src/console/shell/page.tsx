/**
 * The frame of one page: its title, where one is, its main action, and the banner when the link is lost.
 *
 *   <Page title="Nodes" action={<ButtonLink kind="primary" icon={Plus} href={href.enrol()}>Enrol a node</ButtonLink>}>
 *     <PageHead title="Nodes">3 of 4 report.</PageHead>
 *     ...
 *   </Page>
 *
 * A page has exactly one h1; after a change of page it has the focus, so that who does not see the screen knows where they are.
 */
import { ChevronRight, Menu, Plus, Search } from 'lucide-react'
import { Fragment, type ReactElement, type ReactNode, useEffect, useRef } from 'react'
import { Link } from 'wouter'
import { openPalette } from '../palette/open.ts'
import { href } from '../places.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { withMarks } from '../words/safe-text.ts'
import { LinkBanner } from './link-state.tsx'
import { openMenu } from './open-menu.ts'

export type Crumb = { readonly label: string; readonly href: string }

type PageProps = {
  /** Of the window, and the last of the crumbs. */
  readonly title: string
  /** What it stands in. */
  readonly crumbs?: readonly Crumb[]
  /** The one main action of the page; default: expose a port. */
  readonly action?: ReactNode
  readonly children: ReactNode
}

/** The first page that is shown takes no focus: nobody has gone anywhere yet. */
let isFirstPage = true

export function Page({ title, crumbs = [], action, children }: PageProps): ReactElement {
  const main = useRef<HTMLElement>(null)
  const marked = withMarks(title)
  useEffect(() => {
    document.title = `${marked} · Fairlead`
  }, [marked])
  useEffect(() => {
    if (isFirstPage) {
      isFirstPage = false
      return
    }
    // A drawer over the page has the focus already.
    if (document.querySelector('[role="dialog"], dialog[open]') !== null) return
    const heading = main.current?.querySelector<HTMLElement>('h1') ?? main.current
    heading?.setAttribute('tabindex', '-1')
    heading?.focus({ preventScroll: true })
  }, [])
  return (
    <>
      <header className="top">
        <button type="button" className="burger show-sm" aria-label="Menu" onClick={openMenu}>
          <Icon of={Menu} size="l" />
        </button>
        <nav className="crumbs" aria-label="Breadcrumb">
          {crumbs.map(crumb => (
            <Fragment key={crumb.href}>
              <Link href={crumb.href}>{withMarks(crumb.label)}</Link>
              <Icon of={ChevronRight} />
            </Fragment>
          ))}
          <span aria-current="page" className="trunc">
            {marked}
          </span>
        </nav>
        <Button kind="quiet" icon={Search} iconOnly className="show-sm" onClick={openPalette}>
          Find or do
        </Button>
        {action ?? <ExposeAction />}
      </header>
      <LinkBanner />
      <main className="page" id="main" tabIndex={-1} ref={main}>
        {children}
      </main>
    </>
  )
}

export function ExposeAction(): ReactElement {
  return (
    <ButtonLink kind="primary" icon={Plus} shortcut="C" href={href.newService()}>
      Expose<span className="hide-sm"> a port</span>
    </ButtonLink>
  )
}

/** The heading of a page, one sentence below it, and what stands at its right. */
export function PageHead({
  title,
  children,
  aside,
}: {
  readonly title: ReactNode
  readonly children?: ReactNode
  readonly aside?: ReactNode
}): ReactElement {
  return (
    <div className="ph">
      <div>
        <h1>{title}</h1>
        {children !== undefined && <p>{children}</p>}
      </div>
      {aside}
    </div>
  )
}
