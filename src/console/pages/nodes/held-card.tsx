/** A state whose removals the node's guard holds back: what would go, and the one button that lets it go. */
import { type ReactElement, useState } from 'react'
import type { Node } from '../../../api/node.ts'
import { keys } from '../../data/keys.ts'
import { useServiceNames } from '../../data/names.ts'
import { useClient, useRuntime } from '../../data/runtime-context.tsx'
import { Button } from '../../ui/button.tsx'
import { Card } from '../../ui/card.tsx'
import { Message } from '../../ui/field.tsx'
import { faultOf } from '../../ui/states.tsx'
import { Text } from '../../ui/text.tsx'
import { toast } from '../../ui/toast.tsx'
import { Shape } from '../../verdict/shapes.tsx'
import { counted, grouped } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'

const SHOWN = 12

export function HeldCard({ node, mayAdmin }: { readonly node: Node; readonly mayAdmin: boolean }): ReactElement | null {
  const client = useClient()
  const { queries } = useRuntime()
  const names = useServiceNames()
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)
  const { held } = node
  if (held === null) return null
  const accept = async (): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      await client.send('POST', `/nodes/${encodeURIComponent(node.id)}/accept`, { body: { hash: held.hash } })
      await queries.invalidateQueries({ queryKey: keys.allNodes })
      toast({ text: `${withMarks(node.name)} is told to let them go` })
    } catch (error) {
      const { message, remedy } = faultOf(error)
      setFault(`${message} ${remedy}`)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Card
      title={`${withMarks(node.name)} holds ${counted(held.removals.length, 'removal')}`}
      aside={
        <span className="v pill held">
          <Shape of="held" />
          <span>{held.accepted ? 'accepted' : 'held'}</span>
        </span>
      }
    >
      <div className="card-b stack g4">
        <p className="t2 sm">
          The newest state drops {counted(held.removals.length, 'route')} at once, so the node keeps serving them.{' '}
          <b className="strong">If that is meant, accept it. If not, nothing is lost: put the routes back.</b>
        </p>
        <ul className="held-list mono sm">
          {held.removals.slice(0, SHOWN).map(key => (
            <li key={key}>
              <Text most={48}>{names.get(key.slice(key.indexOf('/') + 1)) ?? key}</Text>
            </li>
          ))}
          {held.removals.length > SHOWN && <li className="t3">and {grouped(held.removals.length - SHOWN)} more</li>}
        </ul>
        {held.accepted ? (
          <p className="hint">Accepted. The node lets them go with its next answer.</p>
        ) : (
          mayAdmin && (
            <div className="row">
              <Button kind="danger" disabled={isBusy} onClick={() => void accept()}>
                Let {counted(held.removals.length, 'route')} go
              </Button>
            </div>
          )
        )}
        {fault !== null && <Message id="held-fault" fault={fault} />}
      </div>
    </Card>
  )
}
