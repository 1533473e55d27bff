/** A certificate authority made at run time with the `openssl` command: also certificates that are out of their time, or for another name. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tempFolder } from './temp-folder.ts'

const run = promisify(execFile)

export type IssuedCertificate = { readonly cert: string; readonly key: string }

export type IssueOptions = {
  /** As in a subjectAltName: `IP:127.0.0.1`, `DNS:control.test`. */
  readonly altName: string
  /** `YYYYMMDDHHMMSSZ`; by default it is valid now. */
  readonly from?: string
  readonly to?: string
}

export type Authority = {
  /** PEM. */
  readonly ca: string
  issue(options: IssueOptions): Promise<IssuedCertificate>
}

const CONFIG = (folder: string) => `[ca]
default_ca = here
[here]
database = ${folder}/index.txt
new_certs_dir = ${folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
`

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Its files go at the end of the test or file. */
export async function createAuthority(name: string): Promise<Authority> {
  const folder = await tempFolder()
  const at = (file: string) => join(folder, file)
  await writeFile(at('index.txt'), '')
  await writeFile(at('ca.cnf'), CONFIG(folder))
  await run('openssl', [
    'req',
    '-x509',
    ...EC,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  ])
  let issued = 0
  let queue: Promise<unknown> = Promise.resolve()
  async function issueOne({
    altName,
    from = '20200101000000Z',
    to = '20990101000000Z',
  }: IssueOptions): Promise<IssuedCertificate> {
    issued += 1
    const [key, csr, cert] = [at(`${issued}.key`), at(`${issued}.csr`), at(`${issued}.pem`)]
    await run('openssl', [
      'req',
      '-new',
      ...EC,
      '-subj',
      '/CN=server',
      '-addext',
      `subjectAltName=${altName}`,
      '-keyout',
      key,
      '-out',
      csr,
    ])
    const files = ['-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-in', csr, '-out', cert]
    await run('openssl', ['ca', '-batch', '-notext', '-startdate', from, '-enddate', to, ...files])
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
  }
  return {
    ca: await readFile(at('ca.pem'), 'utf8'),
    // One by one: two runs of `openssl ca` at once lose lines of each other's index.
    issue(options) {
      const next = queue.then(() => issueOne(options))
      queue = next.catch(() => undefined)
      return next
    },
  }
}
