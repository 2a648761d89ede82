import { pause } from './wait.ts'
import type { JobportError, Queue } from '@jobport/core'
import type { Fallen } from './duplicates.ts'

/** An answer that takes longer says that the machine, or the broker, had no time for anything that is quick, ms. */
export const SLUGGISH = 40

/** ms. By default, a lease that is renewed so late may have run out. */
interface Rhythm {
  /** Between two adds. */
  readonly pace?: number
  /** The longest that an answer may take. */
  readonly late?: number
}

/**
 * Adds to a queue that nobody works, past all proxies, and keeps when the answer came late: on a busy machine the broker may
 * get no time. It writes because leases do: a broker that cannot write in time can still say that it is there.
 */
export class Pulse {
  readonly late: Fallen[] = []
  readonly #rhythm: Required<Rhythm>
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(queue: Queue, { pace = 200, late = 500 }: Rhythm = {}) {
    this.#rhythm = { pace, late }
    this.#running = this.#run(queue)
  }

  /** Whether an answer came late between these instants, epoch ms. */
  wasLate(from: number, until: number): boolean {
    return this.late.some((each) => each.from <= until && each.until >= from)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Ends by itself once the broker is closed: a case that fails stops nothing. */
  async #run(queue: Queue): Promise<void> {
    const { pace, late } = this.#rhythm
    let from = Date.now()
    while (!this.#stopping.signal.aborted) {
      await queue.add('pulse', null).catch(({ code }: JobportError) => code === 'CLOSED' && this.#stopping.abort())
      const until = Date.now()
      if (until - from > late) this.late.push({ blow: 'the broker answered late', from, until, workers: 'all' })
      // a process that gets no time asks later than it planned
      from = until + pace
      await pause(pace)
    }
  }
}
