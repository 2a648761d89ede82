import { JobportError, Lease, type Delivery, type JobError, type Message, type Outcome } from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { toJobportError } from './faults.ts'

/** How the outcomes of one delivery are brought about. Each can be repeated after it rejected, also with a lesser outcome. */
export interface Steps {
  /** The delivery's channel is still the one that it came on, and open. */
  readonly isHeld: boolean
  complete(): Promise<void>
  again(outcome: Extract<Outcome, { type: 'again' }>): Promise<void>
  release(): Promise<void>
  dead(outcome: Extract<Outcome, { type: 'dead' }>): Promise<void>
  /** Has the broker deliver it again, as one crash more. Never throws. */
  abandon(): void
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
  readonly lease: Lease = new Lease()
  readonly #steps: Steps
  readonly #listeners: (() => void)[] = []
  #onFree: (() => void) | undefined
  #isOver = false
  #isAbandoned = false
  /** The only settlement there is, until the broker refuses it. */
  #settling: Promise<void> | undefined

  constructor({ message, attempt, crashes, stalled, invalid }: LeasedJobFields, steps: Steps) {
    this.message = message
    this.attempt = attempt
    this.crashes = crashes
    this.stalled = stalled
    if (invalid) this.invalid = invalid
    this.#steps = steps
  }

  /** Rejects with `REJECTED` if the broker or its client refuses the outcome, and the job can be settled otherwise. */
  settle(outcome: Outcome): Promise<void> {
    if (this.#settling || this.lease.isLost) return Promise.reject(this.#leaseLost())
    this.#settling = this.#settle(outcome)
    this.#free()
    return this.#settling
  }

  /** Calls `listener` once it is settled or lost, or at once if it is already. */
  onEnd(listener: () => void): void {
    if (this.#isOver) listener()
    else this.#listeners.push(listener)
  }

  /** Calls `listener` once its settlement has begun, or it is lost. */
  onFree(listener: () => void): void {
    this.#onFree = listener
  }

  get isSettling(): boolean {
    return this.#settling !== undefined
  }

  /** The channel is gone, and with it the lease. */
  lose(): void {
    if (this.lease.isLost) return
    this.lease.lose()
    if (!this.#settling) this.#end()
  }

  /** Back to the queue as it was, or whatever its settlement says. Never rejects. */
  async giveBack(): Promise<void> {
    if (this.lease.isLost) return
    const unsettled = this.#settling === undefined
    this.#settling ??= this.#settle({ type: 'release' })
    if (unsettled) this.lease.lose()
    this.#free()
    await this.#settling.catch(() => this.abandon())
  }

  /** The slot is free at once, and a settlement under way is the last try. */
  abandon(): void {
    if (this.#isOver || this.#isAbandoned) return
    this.#isAbandoned = true
    this.lease.lose()
    if (this.#settling) return this.#free()
    this.#steps.abandon()
    this.#end()
  }

  /** Tries until the broker has taken it, or refuses it, or the lease is lost. */
  async #settle(outcome: Outcome): Promise<void> {
    for (;;) {
      if (!this.#steps.isHeld) throw this.#lost()
      try {
        await this.#step(outcome)
        return this.#end()
      } catch (error) {
        this.#judge(error)
      }
      await pause(RETRY, undefined, { ref: false })
    }
  }

  /** Throws what no other try can mend. */
  #judge(error: unknown): void {
    const told = toJobportError(error, 'settling')
    if (!this.#steps.isHeld || told.code === 'LEASE_LOST') throw this.#lost(error)
    if (this.#isAbandoned) {
      this.#steps.abandon()
      throw this.#lost(error)
    }
    if (told.code === 'UNAVAILABLE' || told.code === 'UNCONFIRMED') return
    this.#settling = undefined
    throw told
  }

  #lost(cause?: unknown): JobportError {
    this.lease.lose()
    this.#end()
    return this.#leaseLost(cause)
  }

  #free(): void {
    const listener = this.#onFree
    this.#onFree = undefined
    listener?.()
  }

  #end(): void {
    this.#free()
    this.#isOver = true
    for (const listener of this.#listeners.splice(0)) listener()
  }

  async #step(outcome: Outcome): Promise<void> {
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
