/** The API tokens: what each may do, when it was last used, when it ends. */
import { Plus } from 'lucide-react'
import { lazy, type ReactElement, Suspense, useState } from 'react'
import type { Token } from '../../../api/token.ts'
import { useProjectNames } from '../../data/names.ts'
import { useRuntime } from '../../data/runtime-context.tsx'
import { Page, PageHead } from '../../shell/page.tsx'
import { Button } from '../../ui/button.tsx'
import { useNow } from '../../ui/now.ts'
import { Bar, Empty, ErrorCard, Loading } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago, Day } from '../../ui/time.tsx'
import { counted } from '../../words/count.ts'
import { lifeOf, SCOPE_WORDS, strongest } from './token-rules.ts'
import { useTokens } from './use-tokens.ts'

const NewToken = lazy(async () => ({ default: (await import('./new-token.tsx')).NewToken }))
const RevokeToken = lazy(async () => ({ default: (await import('./revoke-token.tsx')).RevokeToken }))

const PACE_MS = 60_000

export function TokensPage(): ReactElement {
  const tokens = useTokens()
  const [isMaking, setMaking] = useState(false)
  const [revoked, setRevoked] = useState<Token | null>(null)
  const make = (
    <Button kind="primary" icon={Plus} onClick={() => setMaking(true)}>
      Make a token
    </Button>
  )
  return (
    <Page title="API tokens" action={make}>
      <div className="stack g4">
        <PageHead title="API tokens">
          For programs and the command line. A token is shown once, when it is made; only its hash is kept.
        </PageHead>
        {tokens.data !== undefined ? (
          tokens.data.length === 0 ? (
            <Empty title="No tokens yet" action={make} command="fairlead control token create --name ci --scope write">
              A pipeline, a script or a colleague needs one to use the API.
            </Empty>
          ) : (
            <TokenTable tokens={tokens.data} onRevoke={setRevoked} />
          )
        ) : tokens.error !== null ? (
          <ErrorCard error={tokens.error} what="The list" onRetry={() => void tokens.refetch()} />
        ) : (
          <Loading what="tokens">
            <div className="card card-b stack g4">
              {[14, 11, 16].map(width => (
                <Bar key={width} width={width} />
              ))}
            </div>
          </Loading>
        )}
      </div>
      <Suspense>
        {isMaking && <NewToken onClose={() => setMaking(false)} />}
        {revoked !== null && <RevokeToken token={revoked} onClose={() => setRevoked(null)} />}
      </Suspense>
    </Page>
  )
}

type TokenTableProps = { readonly tokens: readonly Token[]; readonly onRevoke: (token: Token) => void }

function TokenTable({ tokens, onRevoke }: TokenTableProps): ReactElement {
  const projects = useProjectNames()
  const { link } = useRuntime()
  const now = useNow(PACE_MS) + link.view().clockOffsetMs
  return (
    <div className="tw">
      <table className="stackable">
        <caption className="vh">{counted(tokens.length, 'token')}</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">May</th>
            <th scope="col" className="hide-sm">
              Project
            </th>
            <th scope="col" className="hide-sm">
              Last used
            </th>
            <th scope="col">Ends</th>
            <th scope="col">
              <span className="vh">Revoke</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map(token => (
            <tr key={token.id}>
              <td className="r1">
                <span className="name">
                  <Text most={40}>{token.name}</Text>
                </span>
                <div className="t3 xs">
                  made <Ago at={token.createdAt} suffix />
                </div>
              </td>
              <td>
                <span className="tag">{SCOPE_WORDS[strongest(token.scopes)][0]}</span>
              </td>
              <td className="t2 hide-sm">
                {token.projectId === null ? (
                  'all'
                ) : (
                  <Text most={28}>{projects.get(token.projectId) ?? token.projectId}</Text>
                )}
              </td>
              <td className="t2 hide-sm">
                {token.lastUsedAt === null ? 'never' : <Ago at={token.lastUsedAt} suffix />}
              </td>
              <td className="t2">
                <Ends token={token} now={now} />
              </td>
              <td className="r">
                <Button size="sm" aria-label={`Revoke ${token.name}`} onClick={() => onRevoke(token)}>
                  Revoke
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Ends({ token, now }: { readonly token: Token; readonly now: number }): ReactElement {
  if (token.expiresAt === null) return <>never</>
  const life = lifeOf(token, now)
  if (life === 'ended')
    return (
      <>
        ended <Ago at={token.expiresAt} suffix />
      </>
    )
  return life === 'ending' ? (
    <b className="strong">
      soon, <Day at={token.expiresAt} />
    </b>
  ) : (
    <Day at={token.expiresAt} />
  )
}
