/** Find or do: a field and what fits what is typed in it. A combobox with a list box; the focus stays in the field. */
import { Boxes, Copy, Keyboard, type LucideIcon, Plus, Route, Server, SquareArrowRight } from 'lucide-react'
import { Fragment, type KeyboardEvent, type ReactElement, useEffect, useMemo, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { useNodes, useRouteRows, useServiceRows } from '../data/queries.ts'
import { announce, announceCount } from '../ui/announce.ts'
import { copyText } from '../ui/copy.tsx'
import { Icon } from '../ui/icon.tsx'
import { faultOf } from '../ui/states.tsx'
import { Text } from '../ui/text.tsx'
import { toast } from '../ui/toast.tsx'
import { Shape, toneOf } from '../verdict/shapes.tsx'
import { useRowStanding } from '../verdict/use-standing.ts'
import { lookOf } from '../verdict/verdict.ts'
import { counted } from '../words/count.ts'
import { findEntries, type PaletteEntry, paletteEntries } from './entries.ts'
import '../styles/palette.css'

const ICONS: Readonly<Record<PaletteEntry['icon'], LucideIcon>> = {
  plus: Plus,
  server: Server,
  copy: Copy,
  boxes: Boxes,
  route: Route,
  place: SquareArrowRight,
  keyboard: Keyboard,
  port: SquareArrowRight,
}

type PaletteProps = { readonly onClose: () => void; readonly onShowKeys: () => void }

export function Palette({ onClose, onShowKeys }: PaletteProps): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null)
  const [query, setQuery] = useState('')
  const [at, setAt] = useState(0)
  const [, navigate] = useLocation()
  const { entries: all, isWhole, fault } = useEntries()
  const offered = useMemo(() => findEntries(all, query, isWhole), [all, query, isWhole])

  useEffect(() => dialog.current?.showModal(), [])
  useEffect(() => {
    if (query !== '') announceCount(counted(offered.length, 'result'))
  }, [offered, query])
  useEffect(() => {
    document.getElementById(`palette-${at}`)?.scrollIntoView({ block: 'nearest' })
  }, [at])

  const choose = async (entry: PaletteEntry | undefined): Promise<void> => {
    if (entry === undefined) return
    dialog.current?.close()
    switch (entry.deed.kind) {
      case 'go':
        navigate(entry.deed.href)
        return
      case 'copy': {
        const done = await copyText(entry.deed.text)
        toast(
          done ? { text: `${entry.deed.text} copied` } : { tone: 'wrong', text: 'The browser does not let us copy.' },
        )
        announce(done ? 'address copied' : 'not copied')
        return
      }
      case 'keys':
        onShowKeys()
        return
      default: {
        const never: never = entry.deed
        return never
      }
    }
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const count = Math.max(1, offered.length)
    const to = { ArrowDown: (at + 1) % count, ArrowUp: (at + count - 1) % count, Home: 0, End: count - 1 }[event.key]
    if (to !== undefined && !(query !== '' && (event.key === 'Home' || event.key === 'End'))) {
      event.preventDefault()
      setAt(to)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      void choose(offered[at])
    }
  }

  return (
    <dialog
      ref={dialog}
      className="pal"
      aria-label="Find or do"
      onClose={onClose}
      onClick={event => event.target === event.currentTarget && dialog.current?.close()}
    >
      <div className="pal-b">
        <input
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={`palette-${at}`}
          aria-autocomplete="list"
          aria-label="Find or do"
          placeholder="Find a service, port, node, host name; or do something"
          value={query}
          onChange={event => {
            setQuery(event.target.value)
            setAt(0)
          }}
          onKeyDown={onKeyDown}
          spellCheck={false}
          autoComplete="off"
        />
        {fault !== null && (
          <p className="card-b t2 sm" role="status">
            Not everything can be found now. {fault} It is tried again by itself.
          </p>
        )}
        <ul id="palette-list" role="listbox" aria-label="Results">
          {offered.map((entry, index) => (
            <Fragment key={entry.id}>
              {entry.group !== offered[index - 1]?.group && (
                <li className="gh" role="presentation">
                  {entry.group}
                </li>
              )}
              <Option
                entry={entry}
                id={`palette-${index}`}
                isChosen={index === at}
                onPoint={() => setAt(index)}
                onChoose={() => void choose(entry)}
              />
            </Fragment>
          ))}
        </ul>
        <div className="ft" aria-hidden>
          <span>
            <kbd>↑</kbd> <kbd>↓</kbd> choose
          </span>
          <span>
            <kbd>↵</kbd> open
          </span>
          <span>
            <kbd>esc</kbd> close
          </span>
        </div>
      </div>
    </dialog>
  )
}

type OptionProps = {
  readonly entry: PaletteEntry
  readonly id: string
  readonly isChosen: boolean
  readonly onPoint: () => void
  readonly onChoose: () => void
}

function Option({ entry, id, isChosen, onPoint, onChoose }: OptionProps): ReactElement {
  return (
    <li id={id} role="option" aria-selected={isChosen} onPointerMove={onPoint} onClick={onChoose}>
      {entry.verdict === undefined ? (
        <Icon of={ICONS[entry.icon]} />
      ) : (
        <Shape of={entry.verdict} className={toneOf(entry.verdict)} label={lookOf(entry.verdict).word} />
      )}
      <span className="trunc">
        <Text most={48}>{entry.label}</Text>
      </span>
      <span className="rt">
        <Text most={40}>{entry.hint}</Text>
      </span>
    </li>
  )
}

type Entries = {
  readonly entries: readonly PaletteEntry[]
  /** Everything that could be found has come. */
  readonly isWhole: boolean
  /** Why it has not. */
  readonly fault: string | null
}

function useEntries(): Entries {
  const lists = [useServiceRows(), useRouteRows(), useNodes()] as const
  const [{ data: services }, { data: routes }, { data: nodes }] = lists
  const broken = lists.find(({ data, error }) => data === undefined && error !== null)
  const standing = useRowStanding()
  const entries = useMemo(
    () =>
      paletteEntries({
        services: services ?? [],
        routes: (routes ?? []).map(row => ({ ...row, shown: standing(row).shown })),
        nodes: nodes ?? [],
      }),
    [services, routes, nodes, standing],
  )
  const isWhole = lists.every(({ data }) => data !== undefined)
  return { entries, isWhole, fault: broken === undefined ? null : faultOf(broken.error).message }
}
