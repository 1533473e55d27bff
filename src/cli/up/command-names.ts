/** Which programs there are to suggest. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'

const SUGGESTED = ['bash', 'curl', 'dig', 'nc', 'openssl'] as const

const isThere = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

/** Those of the programs in our suggestions that are on PATH. */
export async function commandNames(path: string): Promise<ReadonlySet<string>> {
  const folders = path.split(delimiter).filter(isAbsolute)
  const found = new Set<string>()
  for (const name of SUGGESTED)
    for (const folder of folders) if (!found.has(name) && (await isThere(join(folder, name)))) found.add(name)
  return found
}
