import { describe, expect, test } from 'vitest'
import { href, PATHS, placeOf, safeNext } from '../../src/console/places.ts'

test.each([
  ['/', { name: 'overview', params: {} }],
  ['/services', { name: 'services', params: {} }],
  ['/services/', { name: 'services', params: {} }],
  ['/services/new', { name: 'newService', params: {} }],
  ['/services/svc_1', { name: 'service', params: { id: 'svc_1' } }],
  ['/services/svc_1/ports/new', { name: 'newPort', params: { id: 'svc_1' } }],
  ['/services/svc_1/ports/prt_1/edit', { name: 'editPort', params: { id: 'svc_1', portId: 'prt_1' } }],
  ['/routes/a%2Fb', { name: 'route', params: { id: 'a/b' } }],
  ['/nodes/enrol', { name: 'enrol', params: {} }],
  ['/nodes/srv_1', { name: 'node', params: { id: 'srv_1' } }],
  ['/sign-in', { name: 'signIn', params: {} }],
  ['/nothing', null],
  ['/services/%', null],
  ['/services//', { name: 'services', params: {} }],
])('%s is a place', (path, place) => {
  expect(placeOf(path)).toEqual(place)
})

test('every address that is written is found again', () => {
  expect(placeOf(href.service('a/b c'))).toEqual({ name: 'service', params: { id: 'a/b c' } })
  expect(placeOf(href.editPort('svc_1', 'prt_1'))?.name).toBe('editPort')
  expect(href.services({ q: 'a b', verdict: '' })).toBe('/services?q=a+b')
  expect(href.route('prt_1', { node: 'srv_1' })).toBe('/routes/prt_1?node=srv_1')
  for (const [name, path] of Object.entries(PATHS)) expect(placeOf(path.replaceAll(':', ''))?.name).toBe(name)
})

describe('where to go after signing in', () => {
  test.each(['/', '/services?q=a', '/routes/prt_1?node=srv_1', '/nodes#x'])('%s is taken', next => {
    expect(safeNext(next)).toBe(next)
  })

  test.each([
    null,
    '',
    'services',
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/a\\b',
    '/\t/evil.example',
    'javascript:alert(1)',
    '/sign-in',
    '/sign-in?next=/sign-in',
  ])('%j is not', next => {
    expect(safeNext(next)).toBe('/')
  })
})
