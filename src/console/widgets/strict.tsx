/**
 * The parts in this folder are made of Base UI, and so none of them may be imported by what loads first: pages import them, or
 * `LazyMenu` does when somebody reaches for the button. Base UI must not write `<style>` elements, which the page's policy forbids.
 */
import { CSPProvider } from '@base-ui/react/csp-provider'
import type { ReactElement, ReactNode } from 'react'

export function Strict({ children }: { readonly children: ReactNode }): ReactElement {
  return <CSPProvider disableStyleElements>{children}</CSPProvider>
}
