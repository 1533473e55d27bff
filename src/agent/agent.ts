/**
 * The agent as a value: wired by `createAgent`, running between `start` and `stop`. Two of them can run in one process.
 *
 *   sources -> guard -> reconciler -> snapshot store -> publication -> provider endpoint -> (Traefik) -> observer -> verdicts
 *
 * The provider endpoint is up first and down last, with what the run before this one has left; nothing that it does waits for the rest.
 */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { reconcileOne } from '../core/drift.ts'
import type { DynamicConfig } from '../core/dynamic-config.ts'
import { foreignNow } from '../core/foreign.ts'
import { canonicalJson } from '../core/hash.ts'
import type { ObservedTraefik } from '../core/observed.ts'
import type { TraefikView } from '../core/placement.ts'
import { restartCost } from '../core/restart-cost.ts'
import { upstreamUse } from '../core/upstream-use.ts'
import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import { createLifecycle } from '../lib/lifecycle.ts'
import { createAdmin } from './admin/admin.ts'
import { createExplainer } from './admin/explainer.ts'
import { type StatusView, statusView } from './admin/status-view.ts'
import type { AgentConfig } from './config.ts'
import { createGuards } from './guards.ts'
import { loadToken } from './identity.ts'
import { createMetrics } from './metrics/metrics.ts'
import { poolEntryPoints, poolUse } from './metrics/pool-use.ts'
import { createNodeSettings } from './node-settings.ts'
import type { Notifier } from './notify.ts'
import { createProbing } from './probes/probing.ts'
import { createProvider, type Poll } from './provider/provider.ts'
import { createPublication } from './publication.ts'
import { createReconciler } from './reconcile.ts'
import type { Reporter } from './reports/report.ts'
import { createReporting } from './reports/reporting.ts'
import { type ControlPlaneAccess, createSources } from './sources/sources.ts'
import { createCrashMarker } from './store/crash-marker.ts'
import { createDefaultCertificate } from './store/default-certificate.ts'
import type { Failpoint } from './store/snapshot-store.ts'
import { createSnapshotStore } from './store/snapshot-store.ts'
import { encodeState, STATE_FORMAT, type StoredState, storedBodies } from './stored-state.ts'
import { createObserver, type Observer } from './traefik/observer.ts'
import { createPresence } from './traefik/presence.ts'
import { createRestartWatch } from './traefik/restart-watch.ts'
import { createTraefikApi, type TraefikApi } from './traefik/traefik-api.ts'
import { createVerdicts, evidenceOf } from './verdicts.ts'

const STOP_STEP_TIMEOUT_MS = 8_000

/** For the first attempts of the sources and of reading Traefik; what the run before has left is served meanwhile. */
const FIRST_ATTEMPTS_MS = 3_000

/** The longest that a Traefik takes to stop with the limits of our static configuration. */
const STOPPING_MS = 15_000

/** Held polls are answered, and the next ones are held again. */
const ANSWER_NOW_MS = 1

/** A body that took Traefik less than this is no reason to wait with the next one. */
const QUICK_APPLY_MS = 250
const LONGEST_PAUSE_MS = 10_000

export type AgentOptions = {
  readonly config: AgentConfig
  readonly logger: Logger
  readonly registry: Registry
  /** Of Fairlead. */
  readonly version: string
  /** Addresses of the machine's interfaces, without loopback; asked again for each plan. */
  readonly ownAddresses: () => readonly string[]
  readonly notifier?: Notifier
  readonly clock?: Clock
  /** For tests that kill the process at a given step of saving. */
  readonly failpoint?: (name: Failpoint) => void
  /** For tests alone: makes a body that Traefik refuses. */
  readonly tamper?: (config: DynamicConfig) => DynamicConfig
  /** For tests alone: how long Traefik may take to apply a body. */
  readonly applyDeadlineMs?: number
}

export type AgentPorts = { readonly provider: number; readonly admin: number }

export interface Agent {
  /** Returns once both endpoints listen and every source had its first attempt, or 3 s for it. A failed start leaves nothing open. */
  start(): Promise<AgentPorts>
  /** Idempotent, bounded; held polls get the current body. */
  stop(): Promise<void>
  status(): StatusView
  /** Accepts the removals that are held under this hash, or all that are held now (null). */
  accept(hash: string | null): readonly string[]
}

export function createAgent(options: AgentOptions): Agent {
  const { config, logger, registry, version, notifier, clock = SYSTEM_CLOCK } = options
  const log = logger.child({ component: 'agent' })
  const lifecycle = createLifecycle({ logger, stepTimeoutMs: STOP_STEP_TIMEOUT_MS })
  const metrics = createMetrics(registry)
  const startedAt = clock.now()
  // Never jumps, and goes on over a restart as far as the wall clock does.
  const steadyFrom = startedAt - clock.monotonic()
  const steady = (): number => steadyFrom + clock.monotonic()
  const failpoint = options.failpoint === undefined ? {} : { failpoint: options.failpoint }
  const store = createSnapshotStore<StoredState>({
    directory: config.state.directory,
    format: STATE_FORMAT,
    encode: encodeState,
    logger,
    now: clock.now,
    ...failpoint,
  })
  let running: {
    readonly status: () => StatusView
    readonly accept: (hash: string | null) => readonly string[]
  } | null = null

  async function open(): Promise<AgentPorts> {
    const { tokenFile } = config.provider
    const token = tokenFile === null ? null : await loadToken(tokenFile)
    const saved = await store.open()
    lifecycle.onStop('snapshot store', () => store.close())

    // ------------------------------------------------------------------------------------------- what Traefik asks, and shows
    let observer: Observer | null = null
    /** The settings with the ports that are really listened on. */
    let bound: AgentConfig = config
    let polledHash: string | null = null
    const provider = createProvider({
      listen: config.provider.listen,
      token,
      logger,
      clock: clock.now,
      onPoll,
      onAsk: ({ connectionId, sinceAnswerMs }) => publication.askedAgain(connectionId, sinceAnswerMs),
      onGone: connectionId => publication.gone(connectionId),
    })

    function onPoll(poll: Poll): void {
      metrics.polled(poll)
      // What is fetched with curl is not fetched by Traefik.
      if (!poll.byTraefik) return
      if (!poll.tokenOk) judgeAgain()
      if (poll.hash === null) return
      const isFirst = poll.hash !== polledHash
      polledHash = poll.hash
      if (isFirst) observer?.fetched(poll.hash)
      else if (poll.newConnection) observer?.kick()
      publication.fetched(poll.hash, poll.at, poll.connectionId)
    }

    /** Who the other providers are is known of the Traefik that runs, not of the one before it: it may have been given another. */
    const remembered = saved?.state.observed == null ? null : { ...saved.state.observed, providers: null }
    /** Infinity while nobody listens on the API. */
    let listensSinceMs = Number.NEGATIVE_INFINITY
    let foreignBefore = remembered?.foreignRouters ?? []
    const seen = (): ObservedTraefik | null => {
      const observation = observer?.observation()
      const reading = observation?.reading ?? null
      if (observation === undefined || reading === null) return remembered
      const { version, entryPoints, runtime } = reading
      const providers = reading.askedAtMs >= listensSinceMs ? reading.providers : null
      foreignBefore = foreignNow(runtime.foreignRouters, foreignBefore, observation.settled)
      return { version, entryPoints, foreignRouters: foreignBefore, providers }
    }
    const view = (everServed: ReadonlySet<string>): TraefikView => ({
      observed: seen(),
      tombstones: observer === null || observer.observation().settled ? 'everywhere' : everServed,
    })

    const publication = createPublication({
      answerPolls: () => provider.pauseHolding(ANSWER_NOW_MS),
      publish: snapshot => {
        provider.publish(snapshot)
        metrics.served(snapshot)
      },
      observation: () => observer?.observation() ?? null,
      provider: () => provider.stats(),
      look: () => observer?.kick(),
      onChange: () => judgeAgain(),
      onReplan: () => request(),
      onNack: () => {
        metrics.nacked()
        // What a restart would begin with is now another body.
        request()
      },
      onApplied: metrics.applied,
      logger,
      ...(options.applyDeadlineMs === undefined ? {} : { deadlineMs: options.applyDeadlineMs }),
    })
    lifecycle.onStop('publication', () => publication.stop())
    const { port: providerPort } = await provider.start()
    lifecycle.onStop('provider endpoint', () => provider.stop())

    // ---------------------------------------------------------------------------------------------------- what is expected
    /** Every source and Traefik had a first chance to speak: a plan before that would go by names, and be made anew at once. */
    let begun = false
    const request = (): void => {
      if (begun) reconciler.request()
    }
    let beginReports: (access: ControlPlaneAccess) => void = () => {}
    const sources = createSources({
      config,
      saved: saved?.state ?? null,
      logger,
      clock,
      onChange: request,
      onAttempt: metrics.fetched,
      onAccess: access => beginReports(access),
    })
    const ownCertificate =
      config.tls.defaultCertificate === 'off'
        ? null
        : createDefaultCertificate({ directory: config.state.directory, logger, now: clock.now, onRenewed: request })
    if (ownCertificate !== null) lifecycle.onStop('default certificate', () => ownCertificate.stop())
    const settingsOf = createNodeSettings()
    const guards = createGuards(config.policy.guard, clock.now, steady)
    const reconciler = createReconciler({
      sources: sources.statuses,
      mark: sources.mark,
      guards,
      publication,
      view,
      node: () =>
        settingsOf(bound, {
          ownAddresses: options.ownAddresses(),
          observed: seen(),
          ownCertificate: ownCertificate?.current() ?? null,
        }),
      standing: () => {
        if (observer === null) return null
        const { reading, fault } = observer.observation()
        // Nobody listens, so nobody has routes; one that listens and is late may have them all.
        if (reading === null) return fault === null || fault.kind === 'timeout' ? 'unknown' : null
        return reading.runtime.routers.map(({ name }) => name).filter(name => !name.startsWith('tombstone_'))
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
      onRound: round => {
        metrics.compiled(round.compileMs)
        judgeAgain()
      },
      crashMarker: createCrashMarker({ directory: config.state.directory, logger, now: clock.now }),
      logger,
      now: clock.now,
      ...(options.tamper === undefined ? {} : { tamper: options.tamper }),
    })
    const restart = createRestartWatch({
      ask: async signal =>
        restartCost(
          (await api?.openConnections(signal)) ?? null,
          observer?.observation().reading?.entryPoints ?? [],
          config.traefik.api,
        ),
      onChange: () => judgeAgain(),
    })
    lifecycle.onStop('watch over restarts', () => restart.stop())
    const verdicts = createVerdicts({
      round: reconciler.round,
      publication: publication.view,
      tokenRefused: () => provider.stats().tokenRefused,
      observation: () => observer?.observation() ?? null,
      heldReasons: guards.reasons,
      failedProbes: () => probing.failed(),
      restart,
      ports: config.ports,
      now: clock.now,
    })

    let reporting: Reporter | null = null
    const probing = createProbing({
      round: reconciler.round,
      judged: verdicts.judged,
      observation: () => observer?.observation() ?? null,
      sources: sources.statuses,
      onTurn: judgeAgain,
      onResult: metrics.probed,
      clock,
      logger,
    })
    /** Whatever the verdicts rest upon may be other than it was. */
    function judgeAgain(): void {
      verdicts.refresh()
      probing.refresh()
      reporting?.changed()
    }

    let knownTraefik = canonicalJson(remembered)
    let wasSettled = false
    /** What depends on Traefik is compiled again: its entry points, its version, the routers of others, and whether these can be trusted. */
    function lookAtWhatIsSeen(): void {
      const settled = observer?.observation().settled ?? false
      const traefik = canonicalJson(seen())
      // And while nothing is served yet, what it shows may be what is waited for.
      if (traefik !== knownTraefik || settled !== wasSettled || reconciler.round() === null) request()
      knownTraefik = traefik
      wasSettled = settled
    }
    function onObserved(): void {
      lookAtWhatIsSeen()
      // Drift first: it is against what Traefik was seen to have before this look.
      judgeAgain()
      if (reconcileOne(verdicts.drift()) === 'send-again') publication.sendAgain()
      publication.observed()
      judgeAgain()
    }

    let api: TraefikApi | null = null
    if (config.traefik.api !== null) {
      const asked = createTraefikApi({ url: config.traefik.api })
      api = asked
      lifecycle.onStop('Traefik API', () => asked.close())
      const presence = createPresence({
        url: config.traefik.api,
        logger,
        onGone: () => {
          listensSinceMs = Number.POSITIVE_INFINITY
          lookAtWhatIsSeen()
          provider.pauseHolding(STOPPING_MS)
          observer?.kick()
        },
        onBack: () => {
          listensSinceMs = performance.now()
          provider.pauseHolding(0)
          observer?.kick()
        },
      })
      lifecycle.onStop('presence of Traefik', () => presence.stop())
      presence.start()
      observer = createObserver({
        api: asked,
        logger,
        onChange: onObserved,
        onRestart: restart => {
          provider.resetHold()
          publication.restarted(restart)
        },
        now: clock.now,
      })
    }

    if (saved !== null) {
      reconciler.restore(saved.state)
      publication.restore(storedBodies(saved.state))
      log.info({ savedAt: new Date(saved.savedAt).toISOString() }, 'the last configuration is served again')
    }

    // ------------------------------------------------------------------------------------------------------ what people ask
    const status = (): StatusView =>
      statusView({
        node: config.node,
        version,
        startedAt,
        api: config.traefik.api,
        revision: {
          expected: sources.revision(),
          served: reconciler.round()?.revision ?? saved?.state.revision ?? null,
          applied: publication.view().applied?.revision ?? null,
        },
        publication: publication.view(),
        verdicts: verdicts.all(),
        drift: verdicts.drift(),
        rejected: reconciler.round()?.plan.rejected ?? [],
        sources: sources.statuses(),
        held: guards.held().map(entry => ({
          ...entry,
          untilMs: entry.untilMs === null ? null : entry.untilMs - steady() + clock.now(),
        })),
        observation: observer?.observation() ?? null,
        provider: provider.stats(),
        waiting: reconciler.waiting(),
        probes: probing.results(),
        ...(reporting === null ? {} : { report: reporting.stats() }),
        store: store.status(),
      })
    const accept = (hash: string | null): readonly string[] => {
      const accepted = guards.accept(hash)
      if (accepted.length > 0) request()
      return accepted
    }
    const explain = createExplainer({
      verdicts: verdicts.all,
      round: reconciler.round,
      evidence: () => evidenceOf(observer?.observation() ?? null),
      readAt: () => observer?.observation().readAt ?? null,
      sources: sources.statuses,
      probes: probing.results,
      publication: () => {
        const round = reconciler.round()
        const { current, polled, moments } = publication.view()
        if (current === null || round === null) return null
        return {
          hash: current.hash,
          revision: round.revision,
          polled,
          compiledAt: round.compiledAt,
          ...moments,
          lastPollAt: provider.stats().lastPollAt,
        }
      },
    })
    beginReports = access => {
      if (reporting !== null || config.sources.controlPlane?.report !== 'auto') return
      const telling = createReporting({
        access,
        version,
        sources: sources.statuses,
        mark: sources.mark,
        round: reconciler.round,
        publication: publication.view,
        observation: () => observer?.observation() ?? null,
        provider: provider.stats,
        traefik: seen,
        verdicts: verdicts.all,
        drift: verdicts.drift,
        held: guards.held,
        probes: probing.results,
        explain,
        openConnections: async signal => (await api?.openConnections(signal)) ?? null,
        onResult: metrics.reported,
        clock,
        logger,
      })
      reporting = telling
      lifecycle.onStop('reports', () => telling.stop())
      telling.start()
    }
    running = { status, accept }
    metrics.observe(
      status,
      () => {
        const outcomes = reconciler.round()?.plan.compiled.outcomes ?? []
        const entryPoints = observer?.observation().reading?.entryPoints ?? null
        return {
          tcp: poolUse('tcp', config.ports.tcp, outcomes, entryPoints),
          udp: poolUse('udp', config.ports.udp, outcomes, entryPoints),
        }
      },
      {
        upstreams: () => {
          const observation = observer?.observation()
          const reading = observation?.fault === null ? observation.reading : null
          return reading === null ? null : upstreamUse(reading.runtime)
        },
        openConnections: async signal => (await api?.openConnections(signal)) ?? null,
        ours: () => poolEntryPoints(config.ports, observer?.observation().reading?.entryPoints ?? []),
      },
    )
    const admin = createAdmin({
      listen: config.admin.listen,
      status,
      explain,
      readiness: () => readiness(publication.view().current !== null, status()),
      liveness: () => ({ alive: true, reasons: [] }),
      accept: hash => {
        const held = guards.held().filter(entry => hash === null || entry.hash === hash)
        const routes = held.reduce((sum, { removals }) => sum + removals.length, 0)
        const [accepted] = accept(hash)
        return accepted === undefined
          ? notHeld(hash, guards.held().length)
          : { ok: true, hash: accepted, removals: routes }
      },
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
    const looking = observer
    if (looking !== null) lifecycle.onStop('observer', () => looking.stop())
    lifecycle.onStop('probes', () => probing.stop())
    const firstAttempts = Promise.all([looking?.start(), sources.start(), ownCertificate?.start()])
    // A control plane that accepts and never answers must not keep the rest waiting.
    await Promise.race([firstAttempts, clock.sleep(FIRST_ATTEMPTS_MS, lifecycle.signal)])
    begun = true
    reconciler.request()
    probing.start()
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
      if (running === null) throw new Error('the agent has not been started')
      return running.status()
    },
    accept: hash => running?.accept(hash) ?? [],
  }
}

/** Ready: a valid configuration is being served. */
function readiness(serves: boolean, status: StatusView): { readonly ready: boolean; readonly reasons: string[] } {
  const reasons = [
    ...status.sources.flatMap(({ name, fault }) => (fault === null ? [] : [`${name}: ${fault.message}`])),
    ...status.held.map(({ source, message }) => `${source}: ${message}; the removals are held`),
    ...(status.store.fault === null
      ? []
      : [`state: ${status.store.fault.message}; a restart would come up with an older state`]),
  ]
  if (!serves)
    reasons.unshift(
      status.waiting === null
        ? 'no configuration has been made yet'
        : `waiting for a first reading of ${status.waiting.names.join(', ')}`,
    )
  return { ready: serves, reasons }
}

const notHeld = (hash: string | null, count: number) => ({
  ok: false as const,
  code: 'NOTHING_HELD',
  message: hash === null || count === 0 ? 'nothing is held' : `nothing is held under the hash ${hash}`,
  remedy:
    count === 0
      ? 'There is nothing to accept.'
      : 'Look at fairlead status for what is held now: it has changed meanwhile.',
})
