/** After saving: the port as it is now, and its verdict turning live under one's eyes, with the time that it took. */
import { type ReactElement, useEffect, useRef, useState } from 'react'
import type { Port } from '../../../api/port.ts'
import type { Route, RouteOnNode } from '../../../api/route.ts'
import { sentence } from '../../data/problem.ts'
import { useRouteDetail } from '../../data/queries.ts'
import { useIsLinkUp } from '../../data/runtime-context.tsx'
import { href } from '../../places.ts'
import { announce } from '../../ui/announce.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Chain } from '../../ui/chain.tsx'
import { Command } from '../../ui/code.tsx'
import { CopyButton } from '../../ui/copy.tsx'
import { Text } from '../../ui/text.tsx'
import { useVerdict } from '../../verdict/use-standing.ts'
import { byRank } from '../../verdict/verdict.ts'
import { VerdictMark } from '../../verdict/verdict-mark.tsx'
import { DrawerBody, DrawerFoot } from '../../widgets/drawer.tsx'
import { withMarks } from '../../words/safe-text.ts'
import { sinceSaved } from '../../words/stages.ts'
import { durationWords } from '../../words/time.ts'

export type Saved = {
  readonly port: Port
  readonly name: string
  /** `performance.now()` when it was sent. */
  readonly sentAt: number
}

const STEPS = ['expected', 'compiled', 'served', 'applied', 'probed'] as const

/** What a drawer shows once something is saved. */
export function AfterSaving({ saved, onClose }: { readonly saved: Saved; readonly onClose: () => void }): ReactElement {
  return (
    <>
      <DrawerBody>
        <SavedCard saved={saved} />
      </DrawerBody>
      <DrawerFoot>
        <p>You can close this: it goes on by itself.</p>
        <ButtonLink href={href.service(saved.port.serviceId)}>Open service</ButtonLink>
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      </DrawerFoot>
    </>
  )
}

function SavedCard({ saved: { port, name, sentAt } }: { readonly saved: Saved }): ReactElement {
  const standing = useVerdict(port.id)
  const { data: route } = useRouteDetail(port.id)
  const isLinkUp = useIsLinkUp()
  const isLive = standing?.shown === 'live' && isOfThis(route, port)
  const measured = tookOf(route)
  const elapsed = useElapsed(sentAt, isLive || !isLinkUp)
  const took = isLive && measured !== null ? measured : elapsed
  const slowest = slowestNode(route)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    box.current?.querySelector<HTMLElement>('.address button')?.focus()
  }, [])
  const liveWords = isLive ? `${withMarks(name)} is live, ${durationWords(took)}` : null
  useEffect(() => {
    if (liveWords !== null) announce(liveWords)
  }, [liveWords])
  const [command] = port.connect
  const isSlow = !isLive && elapsed > SLOW_MS
  return (
    <div className="form" ref={box}>
      <section className="saved">
        <div className="row between">
          <h2>{withMarks(name)}</h2>
          {/* What is live may still be the port as it was before. */}
          {standing !== null && (isLive || standing.shown !== 'live') && (
            <VerdictMark standing={standing} pill note={null} />
          )}
        </div>
        {port.address !== null && (
          <div className="address">
            <code>
              <Text>{port.address}</Text>
            </code>
            <CopyButton text={port.address} what="address" iconOnly={false} isMain />
          </div>
        )}
        <p className="sm t2">
          <span className="elapsed">{durationWords(took)}</span> {isLive ? 'from saved to live' : 'since it was saved'}
        </p>
        <Chain
          mini
          label="The way of this change"
          verdict={standing?.shown ?? 'pending'}
          links={linksOf(slowest, isLive)}
        />
        {isSlow && slowest !== null && (
          <div className="stack g1">
            <p className="t2">
              <Text>{sentence(slowest.message)}</Text>{' '}
              <b className="strong">
                <Text>{sentence(slowest.remedy)}</Text>
              </b>
            </p>
            <p>
              <ButtonLink size="sm" href={href.route(port.id, { node: slowest.nodeId })}>
                Explain
              </ButtonLink>
            </p>
          </div>
        )}
        {isSlow && route !== undefined && route.nodes.length === 0 && (
          <p className="t2">
            No node is enrolled that could serve it. <b className="strong">Enrol one: the route goes live by itself.</b>
          </p>
        )}
        {command !== undefined && (
          <div className="stack tight">
            <h3>{command.client}</h3>
            <Command>{command.command}</Command>
            {command.note !== null && <p className="hint">{command.note}</p>}
          </div>
        )}
      </section>
    </div>
  )
}

const SLOW_MS = 2_000

/** The answer is of the port as it was saved, and not of what it was before. */
const isOfThis = (route: Route | undefined, port: Port): boolean =>
  route !== undefined && Date.parse(route.savedAt) >= Date.parse(port.updatedAt) - 1

/** The longest of all nodes: it is live when it is live on the last of them. */
function tookOf(route: Route | undefined): number | null {
  const all = (route?.nodes ?? []).flatMap(({ timingsMs }) => timingsMs.savedToLive ?? [])
  return all.length === 0 ? null : Math.max(...all)
}

const slowestNode = (route: Route | undefined): RouteOnNode | null =>
  [...(route?.nodes ?? [])]
    .filter(({ silent }) => !silent)
    .sort((one, other) => byRank(one.verdict, other.verdict))[0] ?? null

function linksOf(node: RouteOnNode | null, isLive: boolean) {
  const times = sinceSaved(node?.timingsMs ?? {})
  const chain = new Map((node?.chain ?? []).map(link => [link.step, link]))
  return STEPS.map(step => {
    const link = chain.get(step)
    // What is live has come through the four rings; whether it was probed is another question.
    const ok = link?.ok ?? (isLive && step !== 'probed' ? true : step === 'expected' ? true : null)
    const ms = times.get(step)
    return { step, ok, detail: ms === undefined ? (ok === null ? 'not tried' : '') : durationWords(ms) }
  })
}

/** Milliseconds since then, counted by frames and standing still once `isOver`. */
function useElapsed(since: number, isOver: boolean): number {
  const [elapsed, setElapsed] = useState(() => performance.now() - since)
  useEffect(() => {
    if (isOver) return
    let frame = requestAnimationFrame(function tick() {
      setElapsed(performance.now() - since)
      frame = requestAnimationFrame(tick)
    })
    return () => cancelAnimationFrame(frame)
  }, [since, isOver])
  return elapsed
}
