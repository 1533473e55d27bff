/** The console: who is signed in sees the shell and a page in it, everybody else the sign-in. */
import { QueryClientProvider } from '@tanstack/react-query'
import { Component, type ReactElement, type ReactNode, Suspense, useEffect } from 'react'
import { Router, useLocation } from 'wouter'
import { CallError } from './data/problem.ts'
import { useSession } from './data/queries.ts'
import type { Runtime } from './data/runtime.ts'
import { RuntimeProvider, useRuntime } from './data/runtime-context.tsx'
import { SignInPage } from './pages/sign-in/sign-in-page.tsx'
import { pageOf, pageUnder } from './pages.tsx'
import { href, placeOf } from './places.ts'
import { Page, PageHead } from './shell/page.tsx'
import { Shell } from './shell/shell.tsx'
import { noteWay, useScrollMemory } from './shell/use-scroll-memory.ts'
import { ButtonLink } from './ui/button.tsx'
import { Empty, ErrorCard } from './ui/states.tsx'

export function App({ runtime }: { readonly runtime: Runtime }): ReactElement {
  return (
    <RuntimeProvider value={runtime}>
      <QueryClientProvider client={runtime.queries}>
        <Router aroundNav={noteWay}>
          <Places />
        </Router>
      </QueryClientProvider>
    </RuntimeProvider>
  )
}

function Places(): ReactElement | null {
  const [path] = useLocation()
  const place = placeOf(path)
  if (place?.name === 'signIn') return <SignInPage />
  return <SignedIn>{place === null ? <NoPage /> : <PageOf place={place} />}</SignedIn>
}

/** Nothing of the shell is shown before it is known that somebody is signed in; who is not is sent to the sign-in by the client. */
function SignedIn({ children }: { readonly children: ReactNode }): ReactElement | null {
  const { link } = useRuntime()
  const session = useSession()
  const isSignedIn = session.data !== undefined
  useEffect(() => {
    if (isSignedIn) link.start()
  }, [isSignedIn, link])
  useScrollMemory()
  if (session.data === undefined) {
    const isSignedOut = session.error instanceof CallError && session.error.fault.status === 401
    return session.error === null || isSignedOut ? null : (
      <main className="page">
        <h1>Fairlead</h1>
        <ErrorCard error={session.error} what="The console" onRetry={() => void session.refetch()} />
      </main>
    )
  }
  return <Shell>{children}</Shell>
}

function PageOf({ place }: { readonly place: NonNullable<ReturnType<typeof placeOf>> }): ReactElement | null {
  if (place.name === 'signIn') return null
  const Shown = pageOf(place.name)
  // One service and another are two pages; a service and the drawer over it are one.
  const key = `${pageUnder(place.name)} ${place.params.id ?? ''}`
  return (
    <Guard key={key}>
      <Suspense fallback={<div className="page" />}>
        <Shown place={place.name} params={place.params} />
      </Suspense>
    </Guard>
  )
}

function NoPage(): ReactElement {
  return (
    <Page title="Not found">
      <PageHead title="There is no such page" />
      <Empty title="Nothing lives at this address" action={<ButtonLink href={href.overview()}>Overview</ButtonLink>}>
        It may be that a service or a route has been deleted since the link was made.
      </Empty>
    </Page>
  )
}

/** A page that fails shows that, and the rest of the console goes on. */
class Guard extends Component<{ readonly children: ReactNode }, { readonly error: unknown }> {
  override state = { error: null as unknown }

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error }
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children
    return (
      <Page title="A fault">
        <PageHead title="This page has a fault" />
        <ErrorCard error={this.state.error} what="The page" onRetry={() => location.reload()} />
      </Page>
    )
  }
}
