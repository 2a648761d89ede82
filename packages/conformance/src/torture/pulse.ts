import { pause } from '../wait.ts'
import type { Queue } from '@jobport/core'
import type { Fallen } from '../duplicates.ts'

/** Between two adds, and the longest that an answer may take, ms: a lease that is renewed so late may have run out. */
const PACE = 200
const LATE = 500

/**
 * Adds to a queue that nobody works, past all proxies, and keeps when the answer came late: on a busy machine the broker may
 * get no time. It writes because leases do: a broker that cannot write in time can still say that it is there.
 */
export class Pulse {
  readonly late: Fallen[] = []
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(queue: Queue) {
    this.#running = this.#run(queue)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(queue: Queue): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const from = Date.now()
      await queue.add('pulse', null).catch(() => undefined)
      const until = Date.now()
      if (until - from > LATE) this.late.push({ blow: 'the broker answered late', from, until, workers: 'all' })
      await pause(PACE)
    }
  }
}
