/** The name that a new service is offered: of preset and address, as `fairlead expose` makes it up. Pure. */
import { freeName, offeredName } from '../../../api/offer.ts'
import type { FieldFault } from '../../../api/problem.ts'
import type { PortForm } from './form.ts'

/** Of the first backend; empty before there is one. `taken`: names that other services have. */
export function nameFor({ preset, protocol, backends, port }: PortForm, taken: ReadonlySet<string>): string {
  const [first] = backends
  if (first === undefined || port === '') return ''
  return freeName(offeredName({ preset, protocol, endpoint: first.address, port: Number(port) }), taken)
}

export const isNameTaken = ({ field, code }: Pick<FieldFault, 'field' | 'code'>): boolean =>
  field === 'name' && code === 'NAME_TAKEN'
