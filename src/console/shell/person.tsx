/** Who is signed in, the theme, the way out. */
import { LogOut, Moon, Sun, SunMoon } from 'lucide-react'
import type { ReactElement } from 'react'
import { useSession } from '../data/queries.ts'
import { useClient } from '../data/runtime-context.tsx'
import { href } from '../places.ts'
import { Avatar } from '../ui/avatar.tsx'
import { Button } from '../ui/button.tsx'
import { Text } from '../ui/text.tsx'
import { nextTheme, setTheme, type Theme, useTheme } from '../ui/theme.ts'
import { toast } from '../ui/toast.tsx'

const THEME_ICONS = { auto: SunMoon, light: Sun, dark: Moon } as const
const THEME_WORDS: Readonly<Record<Theme, string>> = { auto: 'as the system has it', light: 'light', dark: 'dark' }

export function Person(): ReactElement {
  const { data: session } = useSession()
  const client = useClient()
  const theme = useTheme()
  const signOut = async (): Promise<void> => {
    try {
      await client.send('DELETE', '/sessions/current')
    } catch {
      toast({ tone: 'wrong', text: 'You are still signed in: the control plane does not answer.' })
      return
    }
    // A fresh page: nothing that was fetched for one person is left for the next.
    location.assign(href.signIn())
  }
  const name = session?.name ?? ''
  return (
    <div className="me">
      {name !== '' && <Avatar name={name} />}
      <span className="grow trunc">
        <Text>{name}</Text>
      </span>
      <Button size="sm" kind="quiet" icon={THEME_ICONS[theme]} iconOnly onClick={() => setTheme(nextTheme(theme))}>
        Theme: {THEME_WORDS[theme]}. Switch to {THEME_WORDS[nextTheme(theme)]}
      </Button>
      <Button size="sm" kind="quiet" icon={LogOut} iconOnly onClick={() => void signOut()}>
        Sign out
      </Button>
    </div>
  )
}
