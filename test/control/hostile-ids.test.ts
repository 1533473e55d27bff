/** Whatever stands in a path or a cursor, each call of the document answers with a problem that it declares, and never with a fault of ours. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { makeFleet } from '../support/control-fleet.ts'
import { operationsOf } from '../support/operations.ts'

let control: ControlApp
beforeAll(async () => {
  control = await controlApp()
  await makeFleet(control.database).node('srv_1')
  await control.asAdmin('POST', '/projects', { name: 'shop' })
  const made = await control.asAdmin('POST', '/services', { name: 'db', ports: [{ port: 5432, protocol: 'tcp' }] })
  if (made.status !== 201) throw new Error(made.text)
}, 60_000)
afterAll(() => control.close())

const IDS = [
  ...[
    '%00',
    'a%00b',
    '%ff',
    '%ed%a0%80',
    '%E2%80%AE',
    '%0d%0aset-cookie:%20a=b',
    '%2e%2e',
    '..%2f..%2fetc',
    '%',
    '%zz',
  ],
  ...[
    "'%20or%20''='",
    '%25%30%30',
    '%22%27%5c%60',
    '__proto__',
    'constructor',
    '-1',
    '0',
    '1e999',
    '99999999999999999999',
  ],
  ...['%F0%9F%98%80', '%5B%5D', '{}', '*', ';', 'x'.repeat(199), 'x'.repeat(201), '%C3%A4'.repeat(150)],
]

const cursorOf = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const QUERIES = [
  ...[
    'cursor=x',
    'cursor=%00',
    'cursor[]=a',
    'limit=1e9',
    'limit=-1',
    'limit=NaN',
    'node=%00',
    'project=%27',
    'q=%25_%5C',
  ],
  ...[
    null,
    [],
    [null],
    [{}],
    ['\0'],
    ['a', 'b', 'c'],
    [1e300],
    [-1],
    ["' or ''='"],
    ['x'.repeat(301)],
    ['\ud800'],
    [0.5],
  ]
    .map(cursorOf)
    .map(cursor => `cursor=${cursor}`),
  ...[
    ['svc', 'x'],
    ['\ud800', ''],
    [1, 2],
  ]
    .map(cursorOf)
    .map(cursor => `cursor=${cursor}`),
]

test('no id in a path is a fault of ours', async () => {
  const wrong: string[] = []
  for (const hostile of IDS)
    for (const { method, template, name, parameters, access } of await operationsOf(control)) {
      if (parameters.length === 0 || access === 'public' || access === 'node') continue
      const path = (parameters.length > 1 ? template.replace('{protocol}', 'tcp') : template).replace(
        /\{\w+\}/g,
        () => hostile,
      )
      const body = method === 'GET' || method === 'DELETE' ? undefined : {}
      const { status } = await control.asAdmin(method, `/${path}`, body)
      if (status < 400 || status >= 500) wrong.push(`${name} ${hostile} ${status}`)
    }
  expect(wrong).toEqual([])
}, 60_000)

test('no cursor, and no other word of a query, is a fault of ours', async () => {
  const wrong: string[] = []
  for (const query of QUERIES)
    for (const { method, template, name, parameters, access, operation } of await operationsOf(control)) {
      if (method !== 'GET' || parameters.length > 0 || access === 'public' || access === 'node') continue
      if (operation.operationId === 'streamEvents' || operation.operationId === 'exportAll') continue
      const { status } = await control.asAdmin(method, `/${template}?${query}`)
      if (status >= 500) wrong.push(`${name} ${query} ${status}`)
    }
  expect(wrong).toEqual([])
}, 60_000)
