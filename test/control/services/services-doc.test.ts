/** The examples of docs/services.md, run as they stand by a shell, against a control plane that listens. */
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { PRESETS } from '../../../src/control/services/preset.ts'
import { atEnd } from '../../support/at-end.ts'
import { controlApp } from '../../support/control-app.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const text = readFileSync(join(ROOT, 'docs/services.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(match => match[1] ?? '')

const run = promisify(execFile)
const hasTools = ['curl', 'jq'].every(tool => spawnSync(tool, ['--version']).status === 0)

describe('docs/services.md', () => {
  test.skipIf(!hasTools)('its examples work, one after the other', { timeout: 120_000 }, async () => {
    const control = await controlApp({ settings: blocks('yaml')[0] ?? '' })
    atEnd(() => control.close())
    const url = await control.app.listen({ host: '127.0.0.1', port: 0 })
    const folder = await tempFolder()
    const fairlead = join(folder, 'fairlead')
    await writeFile(fairlead, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/cli/main.ts')}' "$@"\n`)
    await chmod(fairlead, 0o755)
    const token = await control.tokenFor({ scopes: ['write'], projectId: await control.project('shop') })
    const env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder, FAIRLEAD_URL: url, FAIRLEAD_TOKEN: token }
    const { stdout } = await run('sh', ['-e', '-c', blocks('sh').join('\n')], { env })
    expect(stdout).toContain('psql -h proxy.example.com -p 10000 -U postgres')
    const { items } = (await control.asAdmin('GET', '/services?fields=name,addresses')).json
    expect(items.map(({ name, addresses }: { name: string; addresses: string[] }) => `${name} ${addresses}`)).toEqual([
      'cache cache.example.com:443',
      'debug-db proxy.example.com:10001',
      'orders-db proxy.example.com:10000',
      'orders-db-tls orders.db.example.com:5432',
      'shop shop.example.com',
      'shop-api shop.example.com/api/',
      'voice proxy.example.com:11010-11019',
      'zone-dns proxy.example.com:11000',
    ])
  })

  test('its presets are those of the code', () => {
    const rows = [...text.matchAll(/^\| `([a-z]+)` \| (\d+|-) \| (yes|no|by)/gm)].map(([, id, port, sni]) => ({
      id,
      port: port === '-' ? null : Number(port),
      sni: sni !== 'no',
    }))
    expect(rows).toEqual(PRESETS.map(({ id, port, sni }) => ({ id, port, sni })))
  })
})
