/** Enrolling a node: a command to copy, a token that counts down, and then the node itself, the moment that it calls. */
import { X } from 'lucide-react'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import type { EnrollmentToken } from '../../../api/enrollment.ts'
import type { Node } from '../../../api/node.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { href, PATHS } from '../../places.ts'
import { announce } from '../../ui/announce.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { Command } from '../../ui/code.tsx'
import { useNow } from '../../ui/now.ts'
import { Bar, ErrorCard } from '../../ui/states.tsx'
import { Shape } from '../../verdict/shapes.tsx'
import { withMarks } from '../../words/safe-text.ts'
import { leftWords } from '../../words/time.ts'

const TTL_SECONDS = 900
const PACE_MS = 1_000

export function EnrolCard({ nodes }: { readonly nodes: readonly Node[] }): ReactElement {
  const client = useClient()
  const { link } = useRuntime()
  const [, navigate] = useLocation()
  const [token, setToken] = useState<EnrollmentToken | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [round, setRound] = useState(0)
  const [before] = useState(() => new Set(nodes.map(({ id }) => id)))
  const now = useNow(PACE_MS) + link.view().clockOffsetMs

  // One token for each opening of the card. React runs an effect twice in development, and a second token would make the first one void.
  const made = useRef(-1)
  useEffect(() => {
    if (made.current === round) return
    made.current = round
    setError(null)
    client
      .send<EnrollmentToken>('POST', '/enrollment-tokens', { body: { ttlSeconds: TTL_SECONDS } })
      .then(({ data }) => setToken(data), setError)
  }, [client, round])

  const come = nodes.find(({ id }) => !before.has(id))
  useEffect(() => {
    if (come !== undefined) announce(`${withMarks(come.name)} is enrolled`)
  }, [come])

  if (error !== null)
    return (
      <ErrorCard
        error={error}
        what="The token"
        onRetry={() => setRound(round + 1)}
        aftermath="No node can be enrolled now."
      />
    )
  const left = token === null ? null : Date.parse(token.expiresAt) - now
  const isOver = left !== null && left <= 0 && come === undefined
  return (
    <Card
      title="Enrol a node"
      aside={
        <span className="row">
          <span className="t3 xs">
            {left === null || come !== undefined
              ? ''
              : isOver
                ? 'the token has ended'
                : `token good for ${leftWords(left)}, once`}
          </span>
          <Button kind="quiet" size="sm" icon={X} iconOnly onClick={() => navigate(PATHS.nodes)}>
            Close
          </Button>
        </span>
      }
    >
      <div className="enrol">
        <div className="card-b">
          <ol className="steps">
            <li>
              <div className="stack">
                <p>On the proxy machine, as root:</p>
                {token === null ? <Bar width={24} /> : <Command>{token.command}</Command>}
              </div>
            </li>
            <li>
              <div className="stack">
                <p>Start the agent, and let it look at the machine:</p>
                <Command>systemctl enable --now fairlead-agent && fairlead doctor</Command>
              </div>
            </li>
          </ol>
        </div>
        <div className="card-b stack g4">
          {come !== undefined ? (
            <>
              <div className="banner live">
                <Shape of="live" />
                <p className="grow">
                  <b>{withMarks(come.name)} is enrolled.</b> Its key was made there and stays there.
                </p>
              </div>
              <div className="row">
                <ButtonLink href={href.node(come.id)}>Open {withMarks(come.name)}</ButtonLink>
              </div>
            </>
          ) : isOver ? (
            <>
              <div className="banner degraded">
                <Shape of="degraded" />
                <p className="grow">
                  <b>The token has ended.</b> Nobody can use it any more.
                </p>
              </div>
              <div className="row">
                <Button
                  onClick={() => {
                    setToken(null)
                    setRound(round + 1)
                  }}
                >
                  Make another
                </Button>
              </div>
            </>
          ) : (
            <>
              <div className="banner pending">
                <Shape of="pending" />
                <p className="grow">
                  <b>Waiting for the node.</b> It shows here the moment it calls. The key is made on the node and never
                  leaves it.
                </p>
              </div>
              <p className="hint">
                Nothing after a minute? The node must reach <code>{window.location.host}</code>, and its clock must be
                right to 60 s.
              </p>
            </>
          )}
        </div>
      </div>
    </Card>
  )
}
