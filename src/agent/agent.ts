/**
 * The agent as a value: wired by `createAgent`, running between `start` and `stop`. Two of them can run in one process.
 *
 *   sources -> reconciler -> snapshot store -> provider endpoint -> (Traefik) -> observer -> verdicts -> admin endpoint, metrics
 *
 * The provider endpoint is up first and down last, with what the run before this one has left; nothing that it does waits for the rest.
 */
import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { RouteOutcome } from '../core/compile.ts'
import { canonicalJson } from '../core/hash.ts'
import { type Evidence, judge } from '../core/judge.ts'
import type { ObservedTraefik } from '../core/observed.ts'
import { portsOf, type TraefikView } from '../core/placement.ts'
import { type TrackedVerdict, trackVerdicts } from '../core/track.ts'
import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import { createLifecycle } from '../lib/lifecycle.ts'
import { createAdmin } from './admin.ts'
import type { AgentConfig } from './config.ts'
import { createMetrics, type PoolUse } from './metrics.ts'
import { nodeSettings } from './node-settings.ts'
import type { Notifier } from './notify.ts'
import { createObserver, type Observer } from './observer.ts'
import { createProvider, type Poll } from './provider.ts'
import { createReconciler, type StoredState } from './reconcile.ts'
import { createSnapshotStore, type Failpoint } from './snapshot-store.ts'
import { createSources } from './sources/sources.ts'
import { type StatusView, statusView } from './status-view.ts'
import { createTraefikApi } from './traefik-api.ts'

/** Of StoredState: goes up when an older agent could not read it any more. */
const STATE_FORMAT = 1

const STOP_STEP_TIMEOUT_MS = 8_000

/** A body that took Traefik less than this is no reason to wait with the next one. */
const QUICK_APPLY_MS = 250
const LONGEST_PAUSE_MS = 10_000

export type AgentOptions = {
  readonly config: AgentConfig
  readonly logger: Logger
  readonly registry: Registry
  /** Of Fairlead. */
  readonly version: string
  /** Of the machine's interfaces, without loopback. */
  readonly ownAddresses: readonly string[]
  readonly notifier?: Notifier
  readonly clock?: Clock
  /** For tests that kill the process at a given step of saving. */
  readonly failpoint?: (name: Failpoint) => void
}

export type AgentPorts = { readonly provider: number; readonly admin: number }

export interface Agent {
  /** Returns once both endpoints listen and every source had its first attempt. A failed start leaves nothing open. */
  start(): Promise<AgentPorts>
  /** Idempotent, bounded; held polls get the current body. */
  stop(): Promise<void>
  status(): StatusView
}

const readToken = async (path: string | null): Promise<string | null> =>
  path === null ? null : (await readFile(path, 'utf8')).trim()

export function createAgent(options: AgentOptions): Agent {
  const { config, logger, registry, version, notifier, clock = SYSTEM_CLOCK } = options
  const log = logger.child({ component: 'agent' })
  const lifecycle = createLifecycle({ logger, stepTimeoutMs: STOP_STEP_TIMEOUT_MS })
  const metrics = createMetrics(registry)
  const startedAt = clock.now()
  const store = createSnapshotStore<StoredState>({
    directory: config.state.directory,
    format: STATE_FORMAT,
    logger,
    now: clock.now,
    ...(options.failpoint === undefined ? {} : { failpoint: options.failpoint }),
  })
  let current: (() => StatusView) | null = null

  async function open(): Promise<AgentPorts> {
    const token = await readToken(config.provider.tokenFile)
    const saved = await store.open()
    lifecycle.onStop('snapshot store', () => store.close())

    // ------------------------------------------------------------------------------------------- what Traefik asks, and shows
    let polledHash: string | null = null
    /** The settings with the ports that are really listened on. */
    let bound: AgentConfig = config
    let observer: Observer | null = null
    const provider = createProvider({ listen: config.provider.listen, token, logger, clock: clock.now, onPoll })

    function onPoll(poll: Poll): void {
      metrics.polled(poll)
      if (poll.hash === null) return
      const isFirst = poll.hash !== polledHash
      polledHash = poll.hash
      if (isFirst) observer?.fetched(poll.hash)
      else if (poll.newConnection) observer?.kick()
    }

    const remembered = saved?.state.observed ?? null
    const seen = (): ObservedTraefik | null => {
      const reading = observer?.observation().reading ?? null
      return reading === null
        ? remembered
        : { version: reading.version, entryPoints: reading.entryPoints, foreignRouters: reading.runtime.foreignRouters }
    }
    const view = (everServed: ReadonlySet<string>): TraefikView => ({
      observed: seen(),
      tombstones: observer === null || observer.observation().settled ? 'everywhere' : everServed,
    })

    const { port: providerPort } = await provider.start()
    lifecycle.onStop('provider endpoint', () => provider.stop())

    // ---------------------------------------------------------------------------------------------------- what is expected
    const sources = await createSources({
      config,
      saved: saved?.state ?? null,
      logger,
      clock,
      onChange: () => reconciler.request(),
      onAttempt: metrics.fetched,
    })
    let verdicts: readonly TrackedVerdict[] = []
    let applied: { readonly hash: string; readonly revision: number | string } | null = null

    const reconciler = createReconciler({
      sources: sources.statuses,
      mark: sources.mark,
      view,
      node: () => nodeSettings(bound, { ownAddresses: options.ownAddresses, observed: seen() }),
      standing: () => {
        const runtime = observer?.observation().reading?.runtime
        return runtime === undefined
          ? null
          : runtime.routers.map(({ name }) => name).filter(name => !name.startsWith('tombstone_'))
      },
      pauseMs: () => {
        const lastApplyMs = observer?.observation().lastApplyMs ?? 0
        return lastApplyMs < QUICK_APPLY_MS ? 0 : Math.min(lastApplyMs, LONGEST_PAUSE_MS)
      },
      save: async state => {
        const result = await store.save(state)
        metrics.saved(result)
        return result
      },
      publish: snapshot => {
        provider.publish(snapshot)
        metrics.served(snapshot)
      },
      onRound: round => {
        metrics.compiled(round.compileMs)
        refresh()
      },
      logger,
      now: clock.now,
    })

    function evidence(): Evidence {
      if (observer === null) return { kind: 'none' }
      const { reading, fault } = observer.observation()
      if (fault !== null) return { kind: 'fault', message: fault.message }
      return reading === null
        ? { kind: 'fault', message: "Traefik's API has not been read yet" }
        : { kind: 'read', runtime: reading.runtime }
    }

    /** Verdicts anew, from the last round and what is known of Traefik now. */
    function refresh(): void {
      const round = reconciler.round()
      if (round === null) return
      const proof = evidence()
      const { hash } = round.plan.snapshot
      if (proof.kind === 'read' && proof.runtime.beacons.includes(hash)) applied = { hash, revision: round.revision }
      const judged = judge(
        round.plan.compiled.outcomes,
        round.plan.rejected,
        round.plan.compiled.config,
        polledHash === hash,
        proof,
      )
      verdicts = trackVerdicts(verdicts, judged, round.revision, clock.now())
    }

    let knownTraefik = canonicalJson(remembered)
    let wasSettled = false
    function onObserved(): void {
      const settled = observer?.observation().settled ?? false
      const traefik = canonicalJson(seen())
      // What depends on Traefik is compiled again: its entry points, its version, the routers of others, and whether these can be trusted.
      if (traefik !== knownTraefik || settled !== wasSettled) reconciler.request()
      knownTraefik = traefik
      wasSettled = settled
      refresh()
    }

    if (config.traefik.api !== null) {
      const api = createTraefikApi({ url: config.traefik.api })
      lifecycle.onStop('Traefik API', () => api.close())
      observer = createObserver({
        api,
        logger,
        onChange: onObserved,
        onRestart: () => provider.resetHold(),
        now: clock.now,
      })
    }

    if (saved !== null) {
      reconciler.restore(saved.state)
      provider.publish(saved.state.served)
      metrics.served(saved.state.served)
      log.info({ savedAt: new Date(saved.savedAt).toISOString() }, 'the last configuration is served again')
    }

    // ------------------------------------------------------------------------------------------------------ what people ask
    current = () =>
      statusView({
        node: config.node,
        version,
        startedAt,
        api: config.traefik.api,
        revision: {
          expected: sources.revision(),
          served: reconciler.round()?.revision ?? saved?.state.revision ?? null,
          applied: applied?.revision ?? null,
        },
        verdicts,
        rejected: reconciler.round()?.plan.rejected ?? [],
        sources: sources.statuses(),
        observation: observer?.observation() ?? null,
        provider: provider.stats(),
        waiting: reconciler.waiting(),
        store: store.status(),
      })
    const status = current
    metrics.observe(status, () => {
      const outcomes = reconciler.round()?.plan.compiled.outcomes ?? []
      return { tcp: poolUse('tcp', config, outcomes), udp: poolUse('udp', config, outcomes) }
    })
    const admin = createAdmin({
      listen: config.admin.listen,
      status,
      explain: key =>
        status().routes.find(route => `${route.protocol}/${route.id}` === key || route.id === key) ?? null,
      readiness: () => readiness(reconciler.served() !== null, status()),
      liveness: () => ({ alive: true, reasons: [] }),
      registry,
      logger,
    })
    const { port: adminPort } = await admin.start()
    lifecycle.onStop('admin endpoint', () => admin.stop())
    bound = {
      ...config,
      provider: { ...config.provider, listen: { ...config.provider.listen, port: providerPort } },
      admin: { listen: { ...config.admin.listen, port: adminPort } },
    }

    // --------------------------------------------------------------------------------------------------------- set in motion
    lifecycle.onStop('reconciler', () => reconciler.stop())
    lifecycle.onStop('sources', () => sources.stop())
    if (observer !== null) {
      const running = observer
      lifecycle.onStop('observer', () => running.stop())
    }
    await Promise.all([observer?.start(), sources.start()])
    reconciler.request()
    return { provider: providerPort, admin: adminPort }
  }

  return {
    async start() {
      const ports = await lifecycle.start(open)
      log.info({ provider: ports.provider, admin: ports.admin }, 'agent is up')
      notifier?.ready()
      notifier?.startWatchdog(() => true)
      return ports
    },
    async stop() {
      notifier?.stopping()
      await lifecycle.stop()
      await notifier?.stop()
    },
    status() {
      if (current === null) throw new Error('the agent has not been started')
      return current()
    },
  }
}

/** Numbers of the pool that a served route has, and the rest. */
function poolUse(protocol: 'tcp' | 'udp', config: AgentConfig, outcomes: readonly RouteOutcome[]): PoolUse['tcp'] {
  const used = new Set(
    outcomes.flatMap(({ problem, candidate: { route } }) =>
      problem === null && route.protocol !== 'http' && route.protocol === protocol ? portsOf(route) : [],
    ),
  )
  return { used: used.size, free: config.ports[protocol].size - used.size }
}

/** Ready: a valid configuration is being served. */
function readiness(serves: boolean, status: StatusView): { readonly ready: boolean; readonly reasons: string[] } {
  const reasons = status.sources.flatMap(({ name, fault }) => (fault === null ? [] : [`${name}: ${fault.message}`]))
  if (!serves)
    reasons.unshift(
      status.waiting === null
        ? 'no configuration has been made yet'
        : `waiting for a first reading of ${status.waiting.names.join(', ')}`,
    )
  return { ready: serves, reasons }
}
