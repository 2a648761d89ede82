import { pause } from './deadline.ts'
import type { Batch } from './batch.ts'
import type { JobportError } from './errors.ts'

/** Held at once by one broker, in jobs. */
const MOST = 10_000
/** After which a broker that is away is tried, ms: a driver need not notice that it can be reached again. */
const FIRST_TRY = 250
const LONGEST_WAIT = 1_000

/** What all queues of a broker hold together. */
export class HeldTally {
  readonly #wakers = new Set<() => void>()
  #jobs = 0

  /** `false`: too many are held already. */
  enter(jobs: number): boolean {
    if (this.#jobs > 0 && this.#jobs + jobs > MOST) return false
    this.#jobs += jobs
    return true
  }

  leave(jobs: number): void {
    this.#jobs -= jobs
  }

  /** Resolves after `ms`, or as soon as the broker may be back. */
  async next(ms: number): Promise<void> {
    const woken = new AbortController()
    const waker = (): void => woken.abort()
    this.#wakers.add(waker)
    await pause(ms, woken.signal)
    this.#wakers.delete(waker)
  }

  /** The broker may be back. */
  wake(): void {
    for (const waker of this.#wakers) waker()
  }
}

interface Held {
  readonly batch: Batch
  readonly late: NodeJS.Timeout
}

/** The adds of one queue that wait for a broker that is away, in the order in which they were made. */
export class HeldAdds {
  readonly #tally: HeldTally
  readonly #send: (batch: Batch) => Promise<boolean>
  #line: Held[] = []
  #isTrying = false

  /** `send` resolves with `false` if the broker is still away, after it has given the batch back to {@link hold}. */
  constructor(tally: HeldTally, send: (batch: Batch) => Promise<boolean>) {
    this.#tally = tally
    this.#send = send
  }

  /** Whether a new batch has to stand at the end of the line. */
  get isHolding(): boolean {
    return this.#isTrying
  }

  /** Until the batch's end; `error` says what keeps it. */
  hold(batch: Batch, error: JobportError): void {
    const left = batch.end - performance.now()
    if (left <= 0 || !(batch.isHeld || this.#tally.enter(batch.size))) return batch.fail(error)
    if (!batch.isHeld) batch.onEnd(() => this.#tally.leave(batch.size))
    const late = setTimeout(() => {
      this.#line = this.#line.filter((held) => held.batch !== batch)
      batch.fail(error)
    }, left)
    const place = this.#line.findIndex((held) => held.batch.order > batch.order)
    this.#line.splice(place < 0 ? this.#line.length : place, 0, { batch, late })
    if (!this.#isTrying) void this.#try()
  }

  /** One batch tries; once it is through, all others follow it. */
  async #try(): Promise<void> {
    this.#isTrying = true
    for (let wait = FIRST_TRY; this.#line.length > 0; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      await this.#tally.next(wait)
      const first = this.#take(1)[0]
      if (!first || !(await this.#send(first))) continue
      for (const batch of this.#take(Infinity)) void this.#send(batch)
    }
    this.#isTrying = false
  }

  #take(most: number): Batch[] {
    const taken = this.#line.splice(0, most)
    for (const { late } of taken) clearTimeout(late)
    return taken.map(({ batch }) => batch)
  }
}
