/** Keeps the offered name beside what is typed: it follows preset and address until a person types an own one. */
import { useEffect, useMemo, useState } from 'react'
import type { FieldFault } from '../../../api/problem.ts'
import { useServiceRows } from '../../data/queries.ts'
import type { PortForm } from './form.ts'
import { isNameTaken, nameFor } from './offered-name.ts'

export type Offer = {
  /** As it is checked and sent: with the offered name where there is no own one. */
  readonly form: PortForm
  /** The control plane has said that these are taken, which the list did not know. */
  readonly refuse: (faults: readonly FieldFault[]) => void
}

export function useOfferedName(typed: PortForm): Offer {
  const { data: services = [] } = useServiceRows(false)
  const [refused, setRefused] = useState<ReadonlySet<string>>(new Set())
  const { projectId } = typed
  // biome-ignore lint/correctness/useExhaustiveDependencies: what one project refuses, another may take
  useEffect(() => setRefused(new Set()), [projectId])
  const taken = useMemo(() => {
    const its = services.filter(service => projectId === '' || service.projectId === projectId)
    return new Set([...refused, ...its.map(({ name }) => name)])
  }, [services, projectId, refused])
  const form = typed.isOwnName ? typed : { ...typed, name: nameFor(typed, taken) }
  const refuse = (faults: readonly FieldFault[]): void => {
    if (typed.isOwnName || refused.has(form.name) || !faults.some(isNameTaken)) return
    setRefused(new Set([...refused, form.name]))
  }
  return { form, refuse }
}
