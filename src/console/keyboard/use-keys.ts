/** Listens to the keys of the whole page and hands on what they mean (keys.ts). Used once, by the shell. */
import { useEffect, useSyncExternalStore } from 'react'
import { useLocation } from 'wouter'
import { readKey } from './keys.ts'
import { runCommand } from './use-command.ts'

const STORED = 'fairlead-single-keys'
const listeners = new Set<() => void>()
let areOn = read()

function read(): boolean {
  try {
    return localStorage.getItem(STORED) !== 'off'
  } catch {
    return true
  }
}

/** Whether keys without ⌘ or Ctrl do something; a person can turn them off (WCAG 2.1.4). */
export function useSingleKeys(): readonly [boolean, (on: boolean) => void] {
  const on = useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => areOn,
  )
  const set = (next: boolean): void => {
    areOn = next
    try {
      localStorage.setItem(STORED, next ? 'on' : 'off')
    } catch {
      // Holds until the page is closed.
    }
    for (const listener of listeners) listener()
  }
  return [on, set]
}

const FIELD = 'input, select, textarea, [contenteditable="true"], [role="combobox"]'
const CONTROL = 'a, button, summary, [role="option"], [role="menuitem"], [role="tab"]'

export function useKeys(): void {
  const [, navigate] = useLocation()
  useEffect(() => {
    let prefixAt: number | null = null
    const onKey = (event: KeyboardEvent): void => {
      // While a word is being composed, keys are not commands.
      if (event.defaultPrevented || event.isComposing || event.repeat) return
      const target = event.target instanceof Element ? event.target : null
      const press = {
        key: event.key,
        mod: event.metaKey || event.ctrlKey,
        alt: event.altKey,
        shift: event.shiftKey,
        inField: target?.closest(FIELD) != null,
        onControl: target?.closest(CONTROL) != null,
        at: event.timeStamp,
      }
      const meaning = readKey(press, prefixAt, areOn)
      // A modifier that goes down is not the second key.
      if (!['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) prefixAt = null
      switch (meaning.kind) {
        case 'prefix':
          prefixAt = press.at
          return
        case 'go':
          event.preventDefault()
          // A dialog keeps its page: what is typed in it must not be lost to a slip of a finger.
          if (!isModal()) navigate(meaning.path)
          return
        case 'command':
          if (isModal() && !['save', 'palette'].includes(meaning.command)) return
          if (runCommand(meaning.command)) event.preventDefault()
          return
        case 'nothing':
          return
        default:
          meaning satisfies never
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [navigate])
}

const isModal = (): boolean => document.querySelector('[role="dialog"], [role="alertdialog"], dialog[open]') !== null
