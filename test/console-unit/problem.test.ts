import { expect, test } from 'vitest'
import { faultOfAnswer, faultOfSilence, faultsByField, sentence } from '../../src/console/data/problem.ts'

const AT = 1_764_000_000_000

test('a problem document becomes a sentence and a remedy', () => {
  const field = { field: 'ports[0].externalPort', code: 'PORT_TAKEN', message: '10007 belongs to catalog-mysql' }
  const fault = faultOfAnswer(
    409,
    {
      type: 'urn:fairlead:problem:PORT_TAKEN',
      title: 'The port is taken',
      status: 409,
      code: 'PORT_TAKEN',
      detail: 'port 10007 belongs to catalog-mysql',
      remedy: 'Choose another one',
      requestId: 'req_1',
      fields: [field],
      nearest: 10_008,
    },
    'req_1',
    AT,
  )
  expect(fault).toEqual({
    status: 409,
    code: 'PORT_TAKEN',
    message: 'Port 10007 belongs to catalog-mysql.',
    remedy: 'Choose another one.',
    requestId: 'req_1',
    fields: [field],
    at: AT,
    extra: { nearest: 10_008 },
  })
  expect(faultsByField(fault).get('ports[0].externalPort')).toEqual(field)
})

test.each([502, 503, 504, 404])('an answer %d of something in between has words of ours', status => {
  const fault = faultOfAnswer(status, '<html>', null, AT)
  expect(fault).toMatchObject({ status, code: null, fields: [], extra: {} })
  expect(fault.message).toContain(String(status))
})

test('no answer is a fault of its own', () => {
  expect(faultOfSilence(AT)).toMatchObject({ status: null, code: null, message: 'The control plane does not answer.' })
})

test.each([
  ['port 1 is taken', 'Port 1 is taken.'],
  ['admin.kelp.example is held by admin', 'admin.kelp.example is held by admin.'],
  ['tcp-10042 is missing: add it', 'tcp-10042 is missing: add it.'],
  ['Look at it!', 'Look at it!'],
  ['', ''],
])('%j reads as %j', (text, words) => {
  expect(sentence(text)).toBe(words)
})
