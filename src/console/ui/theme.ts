/** Light, dark, or as the system has it. The first paint is theme.js's; this changes it while the page is open. */
import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark' | 'auto'

const STORED = 'fairlead-theme'
const listeners = new Set<() => void>()

const current = (): Theme => {
  const chosen = document.documentElement.dataset.theme
  return chosen === 'light' || chosen === 'dark' ? chosen : 'auto'
}

export function setTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  try {
    if (theme === 'auto') localStorage.removeItem(STORED)
    else localStorage.setItem(STORED, theme)
  } catch {
    // Holds until the page is closed.
  }
  for (const listener of listeners) listener()
}

export function useTheme(): Theme {
  return useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, current)
}

/** The order in which the button goes through them. */
export const nextTheme = (theme: Theme): Theme => (theme === 'auto' ? 'light' : theme === 'light' ? 'dark' : 'auto')
