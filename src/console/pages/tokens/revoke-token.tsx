/** Taking a token back: at once, everywhere. */
import { type ReactElement, useState } from 'react'
import type { Token } from '../../../api/token.ts'
import { keys } from '../../data/keys.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Message } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { Ago } from '../../ui/time.tsx'
import { toast } from '../../ui/toast.tsx'
import { Dialog } from '../../widgets/dialog.tsx'
import { withMarks } from '../../words/safe-text.ts'

export function RevokeToken({ token, onClose }: { readonly token: Token; readonly onClose: () => void }): ReactElement {
  const client = useClient()
  const { queries } = useRuntime()
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const revoke = async (): Promise<void> => {
    setBusy(true)
    try {
      await client.send('DELETE', `/tokens/${encodeURIComponent(token.id)}`)
      await queries.invalidateQueries({ queryKey: keys.tokens })
      toast({ text: `${withMarks(token.name)} is revoked` })
      onClose()
    } catch (error) {
      const { message, remedy } = faultOf(error)
      setFault(`${message} ${remedy}`)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={
        <>
          Revoke <Text most={40}>{token.name}</Text>?
        </>
      }
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button kind="danger" disabled={isBusy} onClick={() => void revoke()}>
            Revoke
          </Button>
        </>
      }
    >
      <p className="t2">
        Whoever uses it is turned away from then on, and sessions that were opened with it end.{' '}
        {token.lastUsedAt === null ? (
          'It has never been used.'
        ) : (
          <>
            It was last used <Ago at={token.lastUsedAt} suffix />.
          </>
        )}
      </p>
      {fault !== null && <Message id="revoke-fault" fault={fault} />}
    </Dialog>
  )
}
