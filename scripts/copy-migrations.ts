/** The compiler copies no SQL: the migrations go beside the code that applies them. Part of `npm run build`. */
import { cpSync } from 'node:fs'

cpSync(
  new URL('../src/control/db/migrations', import.meta.url),
  new URL('../dist/control/db/migrations', import.meta.url),
  { recursive: true },
)
