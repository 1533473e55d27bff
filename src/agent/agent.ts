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
import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import { createLifecycle } from '../lib/lifecycle.ts'
import { createAdmin } from './admin/admin.ts'
import type { StatusView } from './admin/status-view.ts'
import { type Answers, createAnswers } from './answers.ts'
import type { AgentConfig } from './config.ts'
import { createGuards } from './guards.ts'
import { loadToken } from './identity.ts'
import { createJudging } from './judging.ts'
import { createKeeping } from './keeping.ts'
import { createMetrics } from './metrics/metrics.ts'
import { makeScraped } from './metrics/scraped.ts'
import { createNodeSettings } from './node-settings.ts'
import type { Notifier } from './notify.ts'
import { createProvider, type Poll } from './provider/provider.ts'
import { createPublication } from './publication.ts'
import { createReconciler } from './reconcile.ts'
import type { Reporter } from './reports/report.ts'
import { createReporting } from './reports/reporting.ts'
import { createSight } from './sight.ts'
import { type ControlPlaneAccess, createSources } from './sources/sources.ts'
import { createCrashMarker } from './store/crash-marker.ts'
import { createDefaultCertificate } from './store/default-certificate.ts'
import type { Failpoint } from './store/snapshot-store.ts'
import { createSnapshotStore } from './store/snapshot-store.ts'
import type { StateFs } from './store/state-fs.ts'
import { encodeState, STATE_FORMAT, type StoredState, storedBodies } from './stored-state.ts'

const STOP_STEP_TIMEOUT_MS = 8_000

/** For the first attempts of the sources and of reading Traefik; what the run before has left is served meanwhile. */
const FIRST_ATTEMPTS_MS = 3_000

/** Without a saved state and without an API, so long a source that has never spoken is waited for: Traefik may have its routes. */
const SILENT_SOURCE_MS = 60_000

/** The longest that a Traefik takes to stop with the limits of our static configuration. */
const STOPPING_MS = 15_000

/** Held polls are answered, and the next ones are held again. */
const ANSWER_NOW_MS = 1

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
  /** For tests alone: the disk below the state directory. */
  readonly stateFs?: StateFs
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
  const beganMs = clock.monotonic()
  // Never jumps, and goes on over a restart as far as the wall clock does.
  const steadyFrom = startedAt - clock.monotonic()
  const steady = (): number => steadyFrom + clock.monotonic()
  const store = createSnapshotStore<StoredState>({
    directory: config.state.directory,
    format: STATE_FORMAT,
    encode: encodeState,
    logger,
    now: clock.now,
    ...(options.failpoint === undefined ? {} : { failpoint: options.failpoint }),
    ...(options.stateFs === undefined ? {} : { fs: options.stateFs }),
  })
  let running: Answers | null = null

  async function open(): Promise<AgentPorts> {
    const { tokenFile } = config.provider
    const token = tokenFile === null ? null : await loadToken(tokenFile)
    const saved = await store.open()
    lifecycle.onStop('snapshot store', () => store.close())

    // ------------------------------------------------------------------------------------------- what Traefik asks, and shows
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
      if (!poll.tokenOk) judging.soon()
      if (poll.hash === null) return
      const isFirst = poll.hash !== polledHash
      polledHash = poll.hash
      if (isFirst) sight.fetched(poll.hash)
      else if (poll.newConnection) sight.kick()
      publication.fetched(poll.hash, poll.at, poll.connectionId)
    }

    const sight = createSight({
      api: config.traefik.api,
      remembered: saved?.state.observed ?? null,
      onNews: () => request(),
      onLook,
      onRestart: restarted => {
        provider.resetHold()
        publication.restarted(restarted)
      },
      onGone: () => provider.pauseHolding(STOPPING_MS),
      onBack: () => provider.pauseHolding(0),
      logger,
      now: clock.now,
    })

    const publication = createPublication({
      answerPolls: () => provider.pauseHolding(ANSWER_NOW_MS),
      publish: snapshot => {
        provider.publish(snapshot)
        metrics.served(snapshot)
      },
      observation: sight.observation,
      provider: provider.stats,
      look: sight.kick,
      onChange: () => judging.soon(),
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
    let reporting: Reporter | null = null
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
    const keeping = createKeeping({
      save: state => store.save(state),
      onSaved: result => {
        metrics.saved(result)
        // What Traefik has may be told to be applied now.
        reporting?.changed()
      },
      onRetry: request,
    })
    lifecycle.onStop('retry of a save', () => keeping.stop())
    const reconciler = createReconciler({
      sources: sources.statuses,
      mark: sources.mark,
      guards,
      publication,
      view: sight.view,
      node: () =>
        settingsOf(bound, {
          ownAddresses: options.ownAddresses(),
          observed: sight.seen(),
          ownCertificate: ownCertificate?.current() ?? null,
        }),
      standing: () => {
        // Nobody can ask Traefik. A control plane that is late at the start has its chance, and local files do not wait for it for ever.
        if (config.traefik.api === null) return clock.monotonic() - beganMs < SILENT_SOURCE_MS ? 'unknown' : null
        return sight.standing()
      },
      pauseMs: sight.pauseMs,
      keeping,
      onRound: round => {
        metrics.compiled(round.compileMs)
        judging.round()
      },
      crashMarker: createCrashMarker({ directory: config.state.directory, logger, now: clock.now }),
      logger,
      now: clock.now,
      ...(options.tamper === undefined ? {} : { tamper: options.tamper }),
    })
    const judging = createJudging({
      round: reconciler.round,
      publication: publication.view,
      tokenRefused: () => provider.stats().tokenRefused,
      heldReasons: guards.reasons,
      ports: config.ports,
      sight,
      api: config.traefik.api,
      sources: sources.statuses,
      onJudged: () => reporting?.changed(),
      onResult: metrics.probed,
      now: clock.now,
      clock,
      logger,
    })
    lifecycle.onStop('verdicts', () => judging.stop())
    const { verdicts, probing } = judging

    function onLook(): void {
      // While nothing is served yet, what Traefik shows may be what is waited for.
      if (reconciler.round() === null) request()
      // Drift first: it is against what Traefik was seen to have before this look.
      judging.again()
      if (reconcileOne(verdicts.drift()) === 'send-again') publication.sendAgain()
      publication.observed()
      judging.soon()
    }

    if (saved !== null) {
      reconciler.restore(saved.state)
      publication.restore(storedBodies(saved.state))
      log.info({ savedAt: new Date(saved.savedAt).toISOString() }, 'the last configuration is served again')
    }

    // ------------------------------------------------------------------------------------------------------ what people ask
    const answers = createAnswers({
      identity: { node: config.node, version, startedAt, api: config.traefik.api },
      saved: saved?.state ?? null,
      sources,
      guards,
      reconciler,
      publication,
      keeping,
      verdicts: { ...verdicts, ...judging.upToDate },
      probing,
      provider,
      sight,
      store,
      report: () => reporting?.stats() ?? null,
      steady,
      now: clock.now,
      onAccept: request,
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
        isSafe: keeping.isSafe,
        observation: sight.observation,
        provider: provider.stats,
        traefik: sight.seen,
        verdicts: verdicts.all,
        drift: verdicts.drift,
        held: guards.held,
        probes: probing.results,
        explain: answers.explain,
        openConnections: sight.openConnections,
        onResult: metrics.reported,
        clock,
        logger,
      })
      reporting = telling
      lifecycle.onStop('reports', () => telling.stop())
      telling.start()
    }
    running = answers
    const scraped = makeScraped({ ports: config.ports, round: reconciler.round, sight })
    metrics.observe(answers.status, scraped.pools, scraped.traffic)
    const admin = createAdmin({ listen: config.admin.listen, ...answers, registry, logger })
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
    lifecycle.onStop('look at Traefik', () => sight.stop())
    lifecycle.onStop('probes', () => probing.stop())
    const firstAttempts = Promise.all([sight.start(), sources.start(), ownCertificate?.start()])
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
    accept: hash => running?.acceptHeld(hash) ?? [],
  }
}
