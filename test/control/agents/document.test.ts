import { describe, expect, test } from 'vitest'
import { makeDocument, matchingTag, preferredWaitMs } from '../../../src/control/agents/document.ts'
import type { NodeRow } from '../../../src/control/agents/node-reader.ts'
import { parseExpectedState } from '../../../src/core/expected-state.ts'

const NODE: NodeRow = {
  id: 'srv_1',
  name: 'proxy-1',
  status: 'active',
  publicKey: '',
  isRevoked: false,
  acceptedHash: null,
  enrolled: { epoch: 1, revision: 0 },
  applied: null,
}
const SHARED = { position: { epoch: 1, revision: 42 }, hash: 'abc' }
const WISH = { id: 'prt_1', requestId: 'req_1' }
const make = (node: Partial<NodeRow> = {}, shared: Partial<typeof SHARED> = {}, wishes = [] as (typeof WISH)[]) =>
  makeDocument('cp_1', { ...NODE, ...node }, { ...SHARED, ...shared }, wishes)

describe('the document', () => {
  test('with the shared part behind it is a state', () => {
    const { head } = make({ acceptedHash: 'h' }, {}, [WISH])
    const text = `${head}"removed":["old"],"traefik":{"routes":[],"tcpRoutes":[],"udpRoutes":[]}}`
    expect(JSON.parse(text)).toEqual({
      ...{ schema: 1, controlPlaneId: 'cp_1', serverId: 'srv_1', serverName: 'proxy-1', epoch: 1, revision: 42 },
      ...{ acceptedHash: 'h', probes: [WISH], removed: ['old'] },
      traefik: { routes: [], tcpRoutes: [], udpRoutes: [] },
    })
    expect(parseExpectedState(JSON.parse(text), { origin: 'cp_1', maxRoutes: 10 }).ok).toBe(true)
  })

  test('its tag changes with all that it covers', () => {
    const tags = [
      make(),
      make({ id: 'srv_2' }),
      make({ name: 'proxy-2' }),
      make({ acceptedHash: 'h' }),
      make({}, { hash: 'abd' }),
      make({}, { position: { epoch: 2, revision: 42 } }),
      make({}, { position: { epoch: 1, revision: 43 } }),
      make({}, {}, [WISH]),
      make({}, {}, [{ ...WISH, requestId: 'req_2' }]),
    ].map(({ etag }) => etag)
    expect(new Set(tags).size).toBe(tags.length)
    expect(make().etag).toBe(tags[0])
    for (const tag of tags) expect(tag).toMatch(/^"[\w-]{22}\.[\w-]+"$/)
  })
})

describe('If-None-Match', () => {
  const { etag } = make()
  const wished = make({}, {}, [WISH]).etag

  test.each([
    ['nothing', undefined, null],
    ['the same tag', etag, etag],
    ['the same tag, weak', `W/${etag}`, etag],
    ['one of several', `"x", W/${etag}`, etag],
    ['another', '"x"', null],
    ['the same without quotes', etag.slice(1, -1), null],
    ['any', '*', null],
    ['the same state with a wish that is over', `W/${wished}`, wished],
  ])('%s', (_title, ifNoneMatch, wanted) => {
    expect(matchingTag(ifNoneMatch, { etag })).toBe(wanted)
  })

  test('a new wish is sent', () => {
    expect(matchingTag(etag, { etag: wished })).toBe(null)
  })
})

test.each([
  ['nothing', [], null],
  ['wait', ['wait=25'], 25_000],
  ['wait among others', ['respond-async, wait=10; foo', 'handling=lenient'], 10_000],
  ['quoted', ['wait="5"'], 5_000],
  ['blanks and capitals', [' Wait = 7 '], 7_000],
  ['nothing to wait', ['wait=0'], 0],
  ['more than is held', ['wait=3600'], 60_000],
  ['two headers, the first one counts', ['wait=5', 'wait=9'], 5_000],
  ['not a number', ['wait=soon'], null],
  ['a negative number', ['wait=-5'], null],
  ['another word', ['nowait=5'], null],
])('Prefer: %s', (_title, prefer, wanted) => {
  expect(preferredWaitMs(prefer)).toBe(wanted)
})
