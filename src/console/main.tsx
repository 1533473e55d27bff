/**
 * The entry of the console. Building on it, in short:
 *
 *   places.ts    every address: use `href.service(id)`, never a path by hand      pages.tsx   one row for each page
 *   shell/       <Page title crumbs action>, <PageHead>: the frame of a page      ui/         small parts without Base UI
 *   widgets/     Dialog, Drawer, Select, Menu: made of Base UI, so imported by pages, never by what loads first
 *   data/        queries.ts reads, client.ts writes; events keep the cache current, a page never polls
 *   verdict/     a verdict is shown as a `Standing` and nothing else: use-standing.ts makes it, <VerdictMark> shows it
 *   words/       times, counts, lists, text of others (<Text>)                    styles/     tokens and shared classes
 *
 * No inline style, no `dangerouslySetInnerHTML`, no data: address: the page's policy forbids them, and a test counts violations.
 */
// First of all: it says in which order the layers have the last word.
import './styles/index.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { createRuntime } from './data/runtime.ts'
import { href, placeOf, safeNext } from './places.ts'
import { toast } from './ui/toast.tsx'

/**
 * The session is over. Filters and search are in the address, which the sign-in leads back to. What was typed into a drawer or a dialog, or
 * is shown there once, is nowhere else: so that stays, and another tab can sign in for it.
 */
function onSignedOut(): void {
  if (placeOf(location.pathname)?.name === 'signIn') return
  if (document.querySelector('.drawer, .modal') !== null) {
    toast({
      tone: 'wrong',
      text: 'Your session has ended. Sign in in another tab, then go on here: nothing is lost.',
      action: { label: 'Sign in', onClick: () => window.open(href.signIn(), '_blank', 'noopener') },
    })
    return
  }
  location.replace(href.signIn({ next: safeNext(location.pathname + location.search) }))
}

const root = document.getElementById('root')
if (root === null) throw new Error('the page has no root')
createRoot(root).render(
  <StrictMode>
    <App runtime={createRuntime({ onSignedOut })} />
  </StrictMode>,
)
