/**
 * The order of a control plane's states: `(epoch, revision)` only goes up.
 *
 * A lower one is an old state that came back: from a backup, from a replica that lags, or from somebody who kept it. An operator who
 * wants it raises the epoch. A document without a revision has no order; its content is all that there is.
 */
import type { StateHeader } from './expected-state.ts'

/** The highest that was taken, kept across restarts. */
export type RevisionMark = {
  /** Null when the sender never said who it is. */
  readonly controlPlaneId: string | null
  readonly epoch: number
  readonly revision: number
}

export type RevisionOrder =
  /** Newer, or without any order. `mark` is what to keep when the document is taken. */
  | { readonly verdict: 'accept'; readonly mark: RevisionMark | null }
  /** The revision that was taken last. */
  | { readonly verdict: 'same'; readonly mark: RevisionMark }
  | { readonly verdict: 'went-back'; readonly message: string; readonly remedy: string }

export type OrderedHeader = Pick<StateHeader, 'controlPlaneId' | 'epoch' | 'revision'>

/**
 * Whether a document may follow what was taken before. The order is one of each control plane: the mark of another one says nothing.
 * A document that does not say who it is from, or which epoch, is taken to be from the one and in the epoch of the mark.
 */
export function judgeOrder(mark: RevisionMark | null, header: OrderedHeader): RevisionOrder {
  if (header.revision === null) return { verdict: 'accept', mark }
  const { revision } = header
  const controlPlaneId = header.controlPlaneId ?? mark?.controlPlaneId ?? null
  if (mark === null || (mark.controlPlaneId !== null && mark.controlPlaneId !== controlPlaneId))
    return { verdict: 'accept', mark: { controlPlaneId, epoch: header.epoch ?? 0, revision } }
  const epoch = header.epoch ?? mark.epoch
  const next: RevisionMark = { controlPlaneId, epoch, revision }
  if (epoch === mark.epoch && revision === mark.revision) return { verdict: 'same', mark: next }
  if (epoch > mark.epoch || (epoch === mark.epoch && revision > mark.revision)) return { verdict: 'accept', mark: next }
  return {
    verdict: 'went-back',
    message: `${controlPlaneId ?? 'the control plane'} sent epoch ${epoch} revision ${revision} after epoch ${mark.epoch} revision ${mark.revision}`,
    remedy:
      'The newer state goes on serving. If the control plane was restored from a backup on purpose, run fairlead control raise-epoch there.',
  }
}
