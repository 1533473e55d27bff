import { afterEach, beforeEach, expect, test } from 'vitest'
import { onEachDatabase } from '../../support/database.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

onEachDatabase('projects', use => {
  let scene: ServiceScene
  beforeEach(async () => {
    scene = await serviceScene(use())
  })
  afterEach(() => scene.close())

  const make = (name: string, portQuota?: number | null) => scene.admin('POST', '/projects', { name, portQuota })

  test('are made, read, changed and deleted', async () => {
    const made = await make('shop', 3)
    const { id } = made.json
    expect([made.status, made.headers.etag, made.json]).toEqual([
      201,
      '"v1"',
      {
        id: expect.stringMatching(/^prj_/),
        name: 'shop',
        portQuota: 3,
        portsUsed: 0,
        domainQuota: null,
        domainsUsed: 0,
        services: 0,
        version: 1,
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
      },
    ])
    const patched = await scene.admin('PATCH', `/projects/${id}`, { portQuota: null }, { 'if-match': '"v1"' })
    expect([patched.status, patched.headers.etag, patched.json.portQuota]).toEqual([200, '"v2"', null])
    expect((await scene.admin('PATCH', `/projects/${id}`, { name: 'x' }, { 'if-match': '"v1"' })).status).toBe(412)
    expect((await scene.admin('GET', `/projects/${id}`)).json).toEqual(patched.json)
    await scene.service({ name: 'a', projectId: id })
    expect((await scene.admin('DELETE', `/projects/${id}`)).json).toMatchObject({
      status: 409,
      code: 'PROJECT_IN_USE',
      services: 1,
    })
    const [service] = (await scene.admin('GET', '/services')).json.items
    await scene.admin('DELETE', `/services/${service.id}`)
    expect((await scene.admin('DELETE', `/projects/${id}`)).status).toBe(204)
    expect((await scene.admin('GET', `/projects/${id}`)).status).toBe(404)
    expect((await scene.audit()).map(({ action, told }) => `${action} ${told}`)).toEqual([
      'project.create false',
      'project.update false',
      'service.create true',
      'service.delete true',
      'project.delete false',
    ])
  })

  test('have names of their own', async () => {
    const { id } = (await make('a')).json
    await make('b')
    expect((await make('a')).json).toMatchObject({
      status: 409,
      code: 'NAME_TAKEN',
      fields: [{ field: 'name', value: 'a' }],
    })
    expect((await scene.admin('PATCH', `/projects/${id}`, { name: 'b' })).json.code).toBe('NAME_TAKEN')
    expect((await make('Not a name')).status).toBe(422)
    expect((await make('c', -1)).status).toBe(422)
  })

  test('are listed by name, a page at a time', async () => {
    for (const name of ['c', 'a', 'b']) await make(name)
    const first = (await scene.admin('GET', '/projects?limit=2')).json
    expect(first.items.map(({ name }: { name: string }) => name)).toEqual(['a', 'b'])
    const second = (await scene.admin('GET', `/projects?limit=2&cursor=${first.nextCursor}`)).json
    expect([second.items.map(({ name }: { name: string }) => name), second.nextCursor]).toEqual([['c'], null])
  })

  test('are seen alone by a token of one, and changed by none', async () => {
    const mine = await scene.tenant('mine')
    const theirs = await scene.tenant('theirs')
    const local = scene.control.as(await scene.control.tokenFor({ scopes: ['admin'], projectId: mine.projectId }))
    expect((await mine.ask('GET', '/projects')).json.items.map(({ name }: { name: string }) => name)).toEqual(['mine'])
    expect((await mine.ask('GET', `/projects/${theirs.projectId}`)).status).toBe(404)
    expect((await local('PATCH', `/projects/${mine.projectId}`, { portQuota: 1000 })).status).toBe(404)
    expect((await local('POST', '/projects', { name: 'x' })).status).toBe(404)
    expect((await mine.ask('DELETE', `/projects/${mine.projectId}`)).status).toBe(403)
  })
})
