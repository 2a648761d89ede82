import { pause } from '../wait.ts'
import type { Broker } from '@jobport/core'
import type { Fallen } from '../duplicates.ts'

/** Between two looks, and the longest that an answer may take, ms: a lease that is renewed so late may have run out. */
const PACE = 200
const LATE = 500

/** Asks the broker again and again, past all proxies, and keeps when it answered late: on a busy machine it may get no time. */
export class Pulse {
  readonly late: Fallen[] = []
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(broker: Broker) {
    this.#running = this.#run(broker)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(broker: Broker): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const from = Date.now()
      await broker.health().catch(() => undefined)
      const until = Date.now()
      if (until - from > LATE) this.late.push({ blow: 'the broker answered late', from, until, workers: 'all' })
      await pause(PACE)
    }
  }
}
