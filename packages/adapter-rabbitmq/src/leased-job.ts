import { JobportError, type Delivery, type JobError, type Message, type Outcome } from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { toJobportError } from './faults.ts'

/** How the outcomes of one delivery are brought about. Each can be repeated after it rejected with `UNAVAILABLE`. */
export interface Steps {
  /** The delivery's channel is still the one that it came on, and open. */
  readonly isHeld: boolean
  complete(): Promise<void>
  again(outcome: Extract<Outcome, { type: 'again' }>): Promise<void>
  release(): Promise<void>
  dead(outcome: Extract<Outcome, { type: 'dead' }>): Promise<void>
}

export interface LeasedJobFields {
  readonly message: Message
  readonly attempt: number
  readonly crashes: number
  readonly stalled: boolean
  readonly invalid?: JobError
}

/** ms between two tries to settle. */
const RETRY = 250

/** A job in our hands, until it is settled or its channel is gone. */
export class LeasedJob implements Delivery {
  readonly message: Message
  readonly attempt: number
  readonly crashes: number
  readonly stalled: boolean
  declare readonly invalid?: JobError
  readonly lost: AbortSignal
  /** Resolves once it is settled, or lost. */
  readonly over: Promise<void>
  readonly #steps: Steps
  readonly #lost = new AbortController()
  readonly #end: () => void
  /** The only settlement there is. */
  #settling: Promise<void> | undefined

  constructor({ message, attempt, crashes, stalled, invalid }: LeasedJobFields, steps: Steps) {
    this.message = message
    this.attempt = attempt
    this.crashes = crashes
    this.stalled = stalled
    if (invalid) this.invalid = invalid
    this.lost = this.#lost.signal
    this.#steps = steps
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.#end = resolve
  }

  settle(outcome: Outcome): Promise<void> {
    if (this.#settling || this.lost.aborted) return Promise.reject(this.#leaseLost())
    this.#settling = this.#settle(outcome)
    return this.#settling
  }

  get isSettling(): boolean {
    return this.#settling !== undefined
  }

  /** The channel is gone, and with it the lease. */
  lose(): void {
    if (this.lost.aborted) return
    this.#lost.abort(this.#leaseLost())
    if (!this.#settling) this.#end()
  }

  /** Back to the queue as it was, or whatever its settlement says. Never rejects. */
  async giveBack(): Promise<void> {
    if (this.lost.aborted) return
    const unsettled = this.#settling === undefined
    this.#settling ??= this.#settle({ type: 'release' })
    if (unsettled) this.#lost.abort(this.#leaseLost())
    await this.#settling.catch(() => {})
  }

  async #settle(outcome: Outcome): Promise<void> {
    try {
      await this.#insist(outcome)
    } finally {
      this.#end()
    }
  }

  /** Tries until the broker has taken it, or the lease is lost. */
  async #insist(outcome: Outcome): Promise<void> {
    for (;;) {
      if (!this.#steps.isHeld) throw this.#leaseLost()
      try {
        return await this.#step(outcome)
      } catch (error) {
        const told = toJobportError(error, 'settling')
        if (!this.#steps.isHeld || told.code === 'LEASE_LOST') {
          this.#lost.abort(this.#leaseLost(error))
          throw this.#leaseLost(error)
        }
        if (told.code !== 'UNAVAILABLE' && told.code !== 'UNCONFIRMED') throw told
      }
      await pause(RETRY, undefined, { ref: false })
    }
  }

  #step(outcome: Outcome): Promise<void> {
    switch (outcome.type) {
      case 'complete':
        return this.#steps.complete()
      case 'again':
        return this.#steps.again(outcome)
      case 'release':
        return this.#steps.release()
      case 'dead':
        return this.#steps.dead(outcome)
    }
  }

  #leaseLost(cause?: unknown): JobportError {
    const { id } = this.message
    return new JobportError('LEASE_LOST', `job ${id} is no longer held`, { id, ...(cause !== undefined && { cause }) })
  }
}
