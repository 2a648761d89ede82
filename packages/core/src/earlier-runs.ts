import { pause } from './deadline.ts'

/** How long a delivery waits for the run before it, ms. The broker has stored how that ended: the job is here again. */
const LONGEST = 1_000

/** A retry may come before the broker's confirmation of the failure that it follows. Listeners hear of the failure first. */
export class EarlierRuns {
  readonly #ending = new Map<string, Promise<void>>()

  /** This job comes again. `told` settles once the worker's listeners know how its run ended. */
  add(uid: string, told: Promise<void>): void {
    const forget = (): void => {
      if (this.#ending.get(uid) === ended) this.#ending.delete(uid)
    }
    const ended = told.then(forget, forget)
    this.#ending.set(uid, ended)
  }

  /** What a delivery of this job has to wait for, if anything. Nothing is waited for once `signal` fires. */
  before(uid: string, signal: AbortSignal): Promise<void> | undefined {
    const ended = this.#ending.size > 0 ? this.#ending.get(uid) : undefined
    if (!ended) return undefined
    const over = new AbortController()
    const late = pause(LONGEST, AbortSignal.any([signal, over.signal]))
    return Promise.race([ended, late]).then(() => over.abort())
  }
}
