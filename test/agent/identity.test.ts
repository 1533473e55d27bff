import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  createIdentityAuth,
  generateKey,
  loadIdentity,
  loadToken,
  makeTokenAuth,
  NO_AUTH,
  nextTimestamp,
  signRequest,
  writeIdentity,
} from '../../src/agent/identity.ts'
import { SecretFileError } from '../../src/lib/errors.ts'
import { tempFolder } from '../support/temp-folder.ts'

// RFC 8032, section 7.1, test 1. The signatures were made with another implementation (Python's cryptography).
const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`
const VECTOR_KEY = createPrivateKey(PEM)
const GET = { method: 'GET', pathAndQuery: '/api/v1/agent/expected-state', body: new Uint8Array() } as const
const POST = {
  method: 'POST',
  pathAndQuery: '/base/api/v1/agent/status?x=1',
  body: Buffer.from('{"schema":1}'),
} as const

const identityFile = async (content: unknown, mode = 0o600): Promise<string> => {
  const path = join(await tempFolder(), 'identity.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  await chmod(path, mode)
  return path
}

async function failure(action: Promise<unknown>): Promise<SecretFileError> {
  const error = await action.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SecretFileError)) throw new Error('it did not fail as a secret file does', { cause: error })
  return error
}

describe('signature', () => {
  test('a signed GET matches the test vector', () => {
    expect(signRequest({ ...GET, privateKey: VECTOR_KEY, serverId: 'srv_1', timestampMs: 1795428000000 })).toEqual({
      'x-server-id': 'srv_1',
      'x-timestamp': '1795428000000',
      'x-signature': 'uumWWMEPpXXeooC34EdD/7g1JCEzwg4SargAzkRddHL3HxKTeRuwEYS6frcIDbU9bvrd8E4gaLW8oC7/kGbbBQ==',
    })
  })

  test('a signed POST covers query and body', () => {
    expect(signRequest({ ...POST, privateKey: VECTOR_KEY, serverId: 'srv_1', timestampMs: 1795428000001 })).toEqual({
      'x-server-id': 'srv_1',
      'x-timestamp': '1795428000001',
      'x-signature': '4KKPeJ73iCGESFjzkj3ojmqgQ1Z8bT9fKzjVohFWvv1W2wU2AYFZP9QmOHZyqYDEE542gECX3DkWSG3w11EADQ==',
    })
  })

  test('timestamps go up while the clock stands still', () => {
    const auth = createIdentityAuth({ serverId: 'srv_1', controlPlaneId: null, privateKey: VECTOR_KEY }, () => 1000)
    expect([1, 2, 3].map(() => auth.headers(POST)['x-timestamp'])).toEqual(['1000', '1001', '1002'])
  })

  test.each([
    ['a later clock', 1000, 2000, 2000],
    ['the same millisecond', 1000, 1000, 1001],
    ['a clock set back by a little', 61_000, 1001, 61_001],
    ['a clock set back by more than the window', 61_002, 1001, 1001],
  ])('%s gives the next timestamp', (_, last, now, expected) => {
    expect(nextTimestamp(last, now)).toBe(expected)
  })

  test('a token goes as a bearer', () => {
    expect(makeTokenAuth('flt_abc').headers(GET)).toEqual({ authorization: 'Bearer flt_abc' })
    expect(NO_AUTH.headers(GET)).toEqual({})
  })
})

describe('identity file', () => {
  test('a new key is written and read back', async () => {
    const path = join(await tempFolder(), 'identity.json')
    const key = generateKey()
    const identity = {
      serverId: 'srv_1',
      controlPlaneId: 'cp_1',
      privateKey: createPrivateKey(key.privateKeyPem),
    }
    await writeIdentity(path, identity, { replace: false })
    const loaded = await loadIdentity(path)
    expect({ serverId: loaded.serverId, controlPlaneId: loaded.controlPlaneId }).toEqual({
      serverId: 'srv_1',
      controlPlaneId: 'cp_1',
    })
    const message = Buffer.from('hello')
    const headers = signRequest({
      ...POST,
      body: message,
      privateKey: loaded.privateKey,
      serverId: 's',
      timestampMs: 1,
    })
    const raw = Buffer.from(key.publicKey, 'base64')
    expect(raw).toHaveLength(32)
    const publicKey = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
      format: 'jwk',
    })
    const signed = Buffer.from('agent-request:v2\x001\x00POST\x00/base/api/v1/agent/status?x=1\x00hello')
    expect(verify(null, signed, publicKey, Buffer.from(headers['x-signature'], 'base64'))).toBe(true)
  })

  test('it is written 0600 with nothing left beside it', async () => {
    const folder = await tempFolder()
    const path = join(folder, 'identity.json')
    await writeIdentity(path, { serverId: 's', controlPlaneId: null, privateKey: VECTOR_KEY }, { replace: false })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['identity.json'])
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ serverId: 's', privateKey: PEM })
  })

  test('an existing key is kept unless replaced', async () => {
    const path = await identityFile({ serverId: 'old', privateKey: PEM })
    const identity = { serverId: 'new', controlPlaneId: null, privateKey: VECTOR_KEY }
    expect((await failure(writeIdentity(path, identity, { replace: false }))).code).toBe('SECRET_FILE_EXISTS')
    expect((await loadIdentity(path)).serverId).toBe('old')
    expect(await readdir(join(path, '..'))).toEqual(['identity.json'])
    await writeIdentity(path, identity, { replace: true })
    expect((await loadIdentity(path)).serverId).toBe('new')
  })

  test('a folder that is not there is named', async () => {
    const path = join(await tempFolder(), 'none', 'identity.json')
    const error = await failure(
      writeIdentity(path, { serverId: 's', controlPlaneId: null, privateKey: VECTOR_KEY }, { replace: true }),
    )
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'SECRET_FILE_UNWRITABLE',
      message: `${path}: cannot be written (ENOENT)`,
    })
  })

  test('an identity of another control plane has no id', async () => {
    const path = await identityFile({ serverId: 'node-7', privateKey: PEM, more: 'ignored' })
    const { serverId, controlPlaneId } = await loadIdentity(path)
    expect({ serverId, controlPlaneId }).toEqual({ serverId: 'node-7', controlPlaneId: null })
  })

  test.each([
    ['no JSON', `{"privateKey":"${'CANARY'}`, 'is not JSON'],
    ['a list', [], 'is not an object with serverId and privateKey'],
    ['no serverId', { privateKey: PEM }, 'serverId is missing or is not one'],
    ['a serverId with a line break', { serverId: 'a\r\nb', privateKey: PEM }, 'serverId is missing or is not one'],
    ['no key', { serverId: 's' }, 'privateKey is missing or is not one'],
    [
      'a key that is none',
      { serverId: 's', privateKey: 'CANARY' },
      'privateKey is not a PKCS8 PEM key without a passphrase',
    ],
    [
      'a key of another kind',
      {
        serverId: 's',
        privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
          type: 'pkcs8',
          format: 'pem',
        }),
      },
      'privateKey is of type ec, not ed25519',
    ],
  ])('%s is refused without quoting it', async (_, content, message) => {
    const path = await identityFile(content)
    const error = await failure(loadIdentity(path))
    expect({ code: error.code, message: error.message, cause: error.cause }).toEqual({
      code: 'SECRET_FILE_INVALID',
      message: `${path}: ${message}`,
      cause: undefined,
    })
  })

  test.each([0o640, 0o604, 0o660, 0o666, 0o601])('mode %o is refused', async mode => {
    const path = await identityFile({ serverId: 's', privateKey: PEM }, mode)
    const error = await failure(loadIdentity(path))
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'SECRET_FILE_NOT_PRIVATE',
      message: `${path}: has mode 0${mode.toString(8)}, so others can use it`,
    })
  })

  test('a missing file is named', async () => {
    const path = join(await tempFolder(), 'identity.json')
    const error = await failure(loadIdentity(path))
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'SECRET_FILE_MISSING',
      message: `${path}: there is no such file`,
    })
  })

  test('a folder and a pipe are not files', async () => {
    const folder = join(await tempFolder(), 'folder')
    await mkdir(folder)
    const pipe = join(await tempFolder(), 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    expect((await failure(loadIdentity(folder))).code).toBe('SECRET_FILE_INVALID')
    expect((await failure(loadIdentity(pipe))).code).toBe('SECRET_FILE_INVALID')
  })

  test('a file beyond 64 KiB is refused', async () => {
    const path = await identityFile(' '.repeat(65_537))
    expect((await failure(loadIdentity(path))).code).toBe('SECRET_FILE_INVALID')
  })

  test.runIf(process.geteuid?.() === 0)('a file of another user is refused', async () => {
    const path = await identityFile({ serverId: 's', privateKey: PEM })
    await chown(path, 12_345, 0)
    const error = await failure(loadIdentity(path))
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'SECRET_FILE_NOT_PRIVATE',
      message: `${path}: belongs to user 12345, and this process runs as 0`,
    })
  })

  test('a link is judged by what it leads to', async () => {
    const open = await identityFile({ serverId: 's', privateKey: PEM }, 0o644)
    const link = join(await tempFolder(), 'identity.json')
    await symlink(open, link)
    expect((await failure(loadIdentity(link))).code).toBe('SECRET_FILE_NOT_PRIVATE')
  })
})

describe('token file', () => {
  test('white space around the token is dropped', async () => {
    expect(await loadToken(await identityFile('  flt_abc\n'))).toBe('flt_abc')
  })

  test.each([
    ['nothing', '\n', 'is empty'],
    ['two words', 'a b', 'holds more than one word of ASCII signs'],
    ['other signs', 'tökén', 'holds more than one word of ASCII signs'],
  ])('%s is no token', async (_, content, message) => {
    const path = await identityFile(content)
    expect((await failure(loadToken(path))).message).toBe(`${path}: ${message}`)
  })

  test('a token that others can read is refused', async () => {
    expect((await failure(loadToken(await identityFile('flt_abc', 0o644)))).code).toBe('SECRET_FILE_NOT_PRIVATE')
  })
})

test.skipIf(process.geteuid?.() !== 0)('a credential as systemd hands it over is read', async () => {
  const path = join(await tempFolder(), 'token')
  await writeFile(path, 'secret-token\n')
  await chown(path, 0, 0)
  await chmod(path, 0o440)
  expect(await loadToken(path)).toBe('secret-token')
  await chmod(path, 0o444)
  expect((await failure(loadToken(path))).code).toBe('SECRET_FILE_NOT_PRIVATE')
})
