/** What every part of the form needs: the form, how to change it, what is wrong with a field and whether that may be said yet. */
import { createContext, useContext } from 'react'
import type { Pool } from '../../../api/pool.ts'
import type { Preset } from '../../../api/service.ts'
import type { FormField, PortForm } from './form.ts'

export type FormView = {
  readonly form: PortForm
  readonly set: (part: Partial<PortForm>) => void
  readonly replace: (form: PortForm) => void
  /** A fault of a field that was left or sent before. */
  readonly faultOf: (field: FormField) => string | undefined
  /** The field was left: from now on its faults are told as one types. */
  readonly leave: (field: FormField) => void
  /** `was 5432`, in an edit, for a field that was changed. */
  readonly wasOf: (field: FormField) => string | undefined
  readonly presets: readonly Preset[]
  readonly pools: readonly Pool[]
  readonly isEdit: boolean
}

const FormContext = createContext<FormView | null>(null)

export const FormProvider = FormContext.Provider

export function usePortForm(): FormView {
  const view = useContext(FormContext)
  if (view === null) throw new Error('a field of the form stands outside of it')
  return view
}
