/** Gauges that are read at the scrape, all of one scrape from one view. */
import { Gauge, type Registry } from 'prom-client'

/** A sample of a gauge; a value of null is none. */
export type Sample<L extends string> = readonly [labels: Record<L, string>, value: number | null]

export type StateGaugeOptions = {
  readonly registry: Registry
  /** Calls and gives undefined when it throws. */
  readonly attempt: <T>(read: () => T) => T | undefined
}

/** Registers gauges whose samples are made at the scrape. Without a view, or with one that cannot be read, they have none. */
export function makeStateGauges<V>({ registry, attempt }: StateGaugeOptions, readView: () => V | null) {
  // All gauges of one scrape are collected in one go, without a turn of the event loop in between: one view does for all of them.
  let scraped: V | null = null
  function view(): V | null {
    if (scraped === null) {
      scraped = readView()
      queueMicrotask(() => {
        scraped = null
      })
    }
    return scraped
  }

  return function stateGauge<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[],
    samples: (view: V) => Iterable<Sample<L>>,
  ): void {
    new Gauge<L>({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        // Without labels a reset would set it to 0, and 0 is a revision.
        if (labelNames.length === 0) this.remove()
        else this.reset()
        const found = attempt(view)
        if (found === undefined || found === null) return
        attempt(() => {
          for (const [labels, value] of samples(found)) if (value !== null) this.set(labels, value)
        })
      },
    })
  }
}
