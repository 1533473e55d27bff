/** Two who edit one port: what they disagree about, and what comes out of both. Pure. */
import { changedFields, type FormField, type PortForm } from './form.ts'

/** Fields that both have changed, to different values. */
export function contested(before: PortForm, mine: PortForm, theirs: PortForm): readonly FormField[] {
  const own = new Set(changedFields(before, mine))
  const other = new Set(changedFields(before, theirs))
  return changedFields(mine, theirs).filter(field => own.has(field) && other.has(field))
}

/** What only one has changed is that one's; of the rest as it was chosen, mine where nothing was. */
export function merge(
  before: PortForm,
  mine: PortForm,
  theirs: PortForm,
  kept: ReadonlyMap<FormField, 'mine' | 'theirs'>,
): PortForm {
  const own = changedFields(before, mine).filter(field => kept.get(field) !== 'theirs')
  return { ...theirs, ...Object.fromEntries(own.map(field => [field, mine[field]])) }
}
