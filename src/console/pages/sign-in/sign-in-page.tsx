/** One field. A one-time link (`/sign-in#code`) signs in by itself; the code is taken out of the address first. */
import { ChevronRight } from 'lucide-react'
import { type FormEvent, type ReactElement, useEffect, useRef, useState } from 'react'
import { useSearch } from 'wouter'
import { CallError } from '../../data/problem.ts'
import { useClient } from '../../data/runtime-context.tsx'
import { safeNext } from '../../places.ts'
import { BrandMark } from '../../shell/brand.tsx'
import { Button } from '../../ui/button.tsx'
import { Field } from '../../ui/field.tsx'
import { Icon } from '../../ui/icon.tsx'
import { withMarks } from '../../words/safe-text.ts'
import { Art } from './art.tsx'
import './sign-in.css'

/** Never which of the two: that would tell a stranger which tokens there once were. */
const NOT_TAKEN = 'This token is not known here, or it has ended.'
const LINK_NOT_TAKEN = 'This link has been used, or it has ended. Make another with: fairlead control admin-link'

/** Taken from the address once, when the page is opened, before anything else can see it there. */
let code = takeCode()

function takeCode(): string | null {
  if (location.pathname !== '/sign-in') return null
  const params = new URLSearchParams(location.search)
  const found = location.hash.slice(1) || params.get('code')
  if (found === null || found === '') return null
  params.delete('code')
  const rest = params.toString()
  history.replaceState(history.state, '', rest === '' ? location.pathname : `${location.pathname}?${rest}`)
  return found
}

export function SignInPage(): ReactElement {
  const client = useClient()
  const next = safeNext(new URLSearchParams(useSearch()).get('next'))
  const [token, setToken] = useState('')
  const [fault, setFault] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(code !== null)
  const field = useRef<HTMLInputElement>(null)

  const signIn = async (secret: string, refusal: string): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      await client.send('POST', '/sessions', { body: { token: secret } })
      // A fresh page: nothing of what was there before is left.
      location.replace(next)
    } catch (error) {
      const status = error instanceof CallError ? error.fault.status : null
      const isWrong = status === 401 || status === 422 || status === 400
      setFault(
        isWrong ? refusal : error instanceof CallError ? `${error.fault.message} ${error.fault.remedy}` : 'Try again.',
      )
      setBusy(false)
      field.current?.focus()
    }
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page is opened
  useEffect(() => {
    document.title = 'Sign in · Fairlead'
    const once = code
    code = null
    if (once !== null) void signIn(once, LINK_NOT_TAKEN)
  }, [])

  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const secret = token.trim()
    if (secret === '') {
      setFault('A token is needed to sign in.')
      field.current?.focus()
    } else void signIn(secret, NOT_TAKEN)
  }

  return (
    <div className="gate">
      <main className="gate-l">
        <div className="gate-f">
          <div className="brand">
            <BrandMark ground="--surface" />
            <span>Fairlead</span>
          </div>
          <div>
            <h1>Sign in</h1>
            <p className="t2">to {withMarks(location.host)}</p>
          </div>
          <form className="stack" noValidate onSubmit={submit}>
            <Field label="API token" hint="It opens a session in this browser and is not kept here." fault={fault}>
              {input => (
                <input
                  {...input}
                  ref={field}
                  className="input mono"
                  type="password"
                  name="token"
                  autoComplete="current-password"
                  placeholder="flt_…"
                  value={token}
                  onChange={event => setToken(event.target.value)}
                />
              )}
            </Field>
            <Button kind="primary" size="lg" type="submit" disabled={isBusy}>
              {isBusy ? 'Signing in…' : 'Sign in'}
            </Button>
          </form>
          <details className="more">
            <summary>
              <Icon of={ChevronRight} />
              First time here?
            </summary>
            <div className="group">
              <p className="hint">
                The first start of the control plane printed a link that signs you in once. On its machine{' '}
                <code>fairlead control admin-link</code> makes another.
              </p>
            </div>
          </details>
        </div>
      </main>
      <Art />
    </div>
  )
}
