/**
 * The allocator beside a model of it: whatever is claimed, released, sent, acknowledged and waited for, in any order, both say the same.
 * The model knows the rules as DESIGN has them and nothing of tables.
 */
import { fc } from '@fast-check/vitest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../../src/control/db/client.ts'
import { clear, openMemoryDatabase } from '../../support/database.ts'
import { LEAST_TIME_MS, makeScene, rulesOf, type Scene } from './port-scene.ts'

const RANGE = [10_000, 10_001, 10_002, 10_003]
const QUOTA = 2

type Held = { readonly project: string; readonly ports: readonly number[] }
type Rest = { by: string; releasedAt: number; revision: number; unsent: boolean }

/** What there is, in plain words. */
class Model {
  now = 0
  revision = 0
  fetched = 0
  readonly nodes = new Map<string, { enrolled: number; applied: number; retired: boolean }>()
  readonly held = new Map<string, Held>()
  readonly resting = new Map<number, Rest>()
  /** The revision since which nodes may have been sent the number. */
  readonly since = new Map<number, number>()

  isOver({ releasedAt, revision }: Rest): boolean {
    const known = [...this.nodes.values()].every(
      node => node.retired || node.enrolled >= revision || node.applied >= revision,
    )
    return known && this.now - releasedAt >= LEAST_TIME_MS
  }

  isUsed(port: number): boolean {
    return [...this.held.values()].some(({ ports }) => ports.includes(port))
  }

  /** How dear a number is to this project: lower first; null when it cannot have it. */
  cost(port: number, project: string): number | null {
    if (!RANGE.includes(port) || this.isUsed(port)) return null
    const rest = this.resting.get(port)
    if (rest === undefined) return 0
    if (this.isOver(rest)) return 1
    return rest.by === project ? 2 : null
  }

  /** The numbers that the project gets, or the code of why not. */
  claim(project: string, wanted: number | null, count: number): readonly number[] | string {
    const used = [...this.held.values()].filter(one => one.project === project).flatMap(({ ports }) => ports).length
    const atRest = [...this.resting.values()].filter(rest => rest.by === project && !this.isOver(rest)).length
    if (used + count > QUOTA || used + atRest > 2 * QUOTA) return 'QUOTA_EXCEEDED'
    const blocks = (wanted === null ? RANGE : [wanted]).map(first => Array.from({ length: count }, (_, i) => first + i))
    const open = blocks.filter(ports => ports.every(port => this.cost(port, project) !== null))
    const fresh = (ports: readonly number[]): number => ports.filter(port => this.cost(port, project) !== 2).length
    const paid = open.filter(ports => used + atRest + fresh(ports) <= 2 * QUOTA)
    const [best] = paid.sort((a, b) => this.rank(a, project) - this.rank(b, project) || this.age(a) - this.age(b))
    if (best !== undefined) return best
    if (open.length > 0) return 'QUOTA_EXCEEDED'
    if (wanted === null) return 'POOL_EXHAUSTED'
    const wrong = blocks[0]?.find(port => this.cost(port, project) === null) ?? wanted
    return RANGE.includes(wrong) ? 'PORT_TAKEN' : 'PORT_OUT_OF_RANGE'
  }

  /** Own numbers that rest count most, then whether any has rested at all. */
  rank(ports: readonly number[], project: string): number {
    const own = ports.filter(port => this.cost(port, project) === 2).length
    return own * 10 + (ports.some(port => this.resting.has(port)) ? 1 : 0)
  }

  /** When the one that rests least was released: the earlier, the better. */
  age(ports: readonly number[]): number {
    return Math.max(...ports.map(port => this.resting.get(port)?.releasedAt ?? Number.NEGATIVE_INFINITY), -1)
  }

  take(id: string, project: string, ports: readonly number[]): void {
    this.revision++
    for (const port of ports) {
      const rest = this.resting.get(port)
      if (rest === undefined || this.isOver(rest)) this.since.set(port, this.revision)
      this.resting.delete(port)
    }
    this.held.set(id, { project, ports })
  }

  release(id: string): readonly number[] {
    this.revision++
    const { project, ports } = this.held.get(id) ?? { project: '', ports: [] }
    this.held.delete(id)
    const rest = ports.filter(port => (this.since.get(port) ?? 0) <= this.fetched)
    for (const port of rest)
      this.resting.set(port, { by: project, releasedAt: this.now, revision: this.revision, unsent: false })
    return rest
  }
}

type World = { readonly scene: Scene; readonly model: Model }
type Step = (world: World) => Promise<void>

/** A step with its name, so that a counterexample can be read. */
const step = (name: string, run: Step) => Object.assign(run, { toString: () => name })

const project = fc.constantFrom('p', 'q')
const node = fc.constantFrom('n1', 'n2')
const portId = fc.constantFrom('a', 'b', 'c', 'd')

const claiming = fc
  .tuple(portId, project, fc.option(fc.constantFrom(...RANGE, 10_004), { nil: null }), fc.constantFrom(1, 1, 1, 2))
  .map(([id, its, wanted, count]) =>
    step(`claim ${id} for ${its}: ${count} at ${wanted}`, async ({ scene, model }) => {
      if (model.held.has(id)) return
      const expected = model.claim(its, wanted, count)
      const result = await scene.claim(id, { project: its, count, ...(wanted === null ? {} : { wanted }) })
      const found = result.ok
        ? Array.from({ length: result.last - result.first + 1 }, (_, i) => result.first + i)
        : result.problem.code
      expect(found).toEqual(expected)
      if (typeof expected === 'string') model.revision++
      else model.take(id, its, expected)
    }),
  )

const releasing = portId.map(id =>
  step(`release ${id}`, async ({ scene, model }) => {
    const released = await scene.release(id)
    const rest = model.release(id)
    expect(released.filter(({ rests }) => rests).map(({ port }) => port)).toEqual(rest)
  }),
)

const fetching = fc.constant(
  step('a node fetches', async ({ scene, model }) => {
    await scene.fetch()
    model.fetched = model.revision
  }),
)

const acknowledging = node.map(id =>
  step(`${id} acknowledges`, async ({ scene, model }) => {
    const its = model.nodes.get(id)
    if (its === undefined) return
    await scene.acknowledge(id)
    its.applied = model.revision
  }),
)

const enrolling = node.map(id =>
  step(`${id} comes in`, async ({ scene, model }) => {
    if (model.nodes.has(id)) return
    await scene.addNode(id, { applied: null })
    model.nodes.set(id, { enrolled: model.revision, applied: -1, retired: false })
  }),
)

const changingStatus = fc
  .tuple(node, fc.constantFrom('active' as const, 'lost' as const, 'retired' as const))
  .map(([id, status]) =>
    step(`${id} is ${status}`, async ({ scene, model }) => {
      const its = model.nodes.get(id)
      if (its === undefined) return
      await scene.setStatus(id, status)
      its.retired = status === 'retired'
    }),
  )

// Well beyond what the queries themselves take, so that the clock of the database cannot tip the scales.
const waiting = fc.constantFrom(10_000, LEAST_TIME_MS).map(ms =>
  step(`${ms} ms pass`, async ({ scene, model }) => {
    await scene.pass(ms)
    model.now += ms
  }),
)

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: claiming },
    { weight: 5, arbitrary: releasing },
    { weight: 3, arbitrary: fetching },
    { weight: 2, arbitrary: acknowledging },
    { weight: 1, arbitrary: enrolling },
    { weight: 1, arbitrary: changingStatus },
    { weight: 2, arbitrary: waiting },
  ),
  { maxLength: 40, size: 'max' },
)

let database: Database
beforeAll(async () => {
  database = await openMemoryDatabase()
}, 60_000)
afterAll(() => database.close())

test('the allocator does what the model does', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async commands => {
      await clear(database)
      const scene = makeScene(database, rulesOf({ tcp: { range: RANGE, shared: [] } }))
      for (const name of ['p', 'q']) await scene.setQuota(name, QUOTA)
      const model = new Model()
      for (const command of commands) {
        await command({ scene, model })
        // Time goes on by itself between releases, so that no two rest alike.
        await scene.pass(1000)
        model.now += 1000
      }
      const used = [...model.held].flatMap(([id, { ports }]) => ports.map(port => `tcp ${port} used ${id}`))
      const resting = [...model.resting].map(([port, { by }]) => `tcp ${port} resting ${by}`)
      expect(await scene.claims()).toEqual([...used, ...resting].sort())
    }),
    { numRuns: 25 },
  )
})
