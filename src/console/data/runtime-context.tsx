/** Hands the runtime down, and tells what the link is. */
import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Client } from './client.ts'
import type { LinkView } from './link-store.ts'
import type { Runtime } from './runtime.ts'

const RuntimeContext = createContext<Runtime | null>(null)

export const RuntimeProvider = RuntimeContext.Provider

export function useRuntime(): Runtime {
  const runtime = useContext(RuntimeContext)
  if (runtime === null) throw new Error('no RuntimeProvider above')
  return runtime
}

export const useClient = (): Client => useRuntime().client

/** All of the link; renders with every heartbeat, so it is for the side bar and the banner. */
export function useLink(): LinkView {
  const { link } = useRuntime()
  return useSyncExternalStore(link.subscribe, link.view)
}

/** Whether verdicts may be believed. Renders only when that changes. */
export function useIsLinkUp(): boolean {
  const { link } = useRuntime()
  return useSyncExternalStore(link.subscribe, () => link.view().isUp)
}
