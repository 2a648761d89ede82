import { JobportError, Lease, type Delivery, type JobError, type Message, type Outcome } from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { isPassing, isRefusal, toJobportError } from './faults.ts'
import { BY, completedWrite, deadWrite, header, isFinal, liveWrite, read, uidOf, type Reading, type State } from './mapping.ts'
import { arrivalOf, type Arrival } from './pulls.ts'
import { removeStray } from './removal.ts'
import type { Client } from './client.ts'
import type { Expectation, Records, StoredRecord, Write } from './records.ts'
import type { Msg } from '@nats-io/transport-node'

export interface Holding {
  readonly client: Client
  readonly records: Records
  /** ms. */
  readonly ackWait: number
  /** Fires when there is no more time for trying. */
  readonly signal: AbortSignal
}

/** ms between two tries to settle with a server that does not take it. */
const RETRY = 200
/** ms between two looks at a removal that is not decided. */
const LOOK = 20
const ACK_TRIES = 3

/**
 * A job in our hands. It is ours as long as we renew it in time and its record is the newest of its id; what becomes of
 * it is written on that condition, and only then acknowledged. Whoever comes late finds a newer record.
 */
export class LeasedJob implements Delivery {
  readonly message: Message
  readonly attempt: number
  readonly crashes: number
  readonly stalled: boolean
  declare readonly invalid?: JobError
  readonly lease: Lease = new Lease()
  /** Resolves once its run is over for good: it is being settled as completed or dead, or it is over. */
  readonly ran: Promise<void>
  /** Resolves once what becomes of it is written, or it is dropped or lost. */
  readonly over: Promise<void>
  /** What is left to say to the server then. */
  acknowledged: Promise<void> = Promise.resolve()
  /** Epoch ms at which the lease was last known to be held. */
  #renewedAt: number = Date.now()
  readonly #native: Msg
  readonly #holding: Holding
  readonly #arrival: Arrival
  readonly #reading: Reading
  readonly #endRun: () => void
  readonly #end: () => void
  /** The only settlement there is. */
  #settling: Promise<void> | undefined

  constructor(native: Msg, holding: Holding) {
    this.#native = native
    this.#holding = holding
    this.#arrival = arrivalOf(native.reply!)
    const { seq, time, deliveries } = this.#arrival
    this.#reading = read({ subject: native.subject, headers: native.headers, data: native.data, seq, time })
    const { message, invalid, attempt, crashes } = this.#reading
    this.message = message
    if (invalid) this.invalid = invalid
    this.attempt = attempt
    this.crashes = crashes + deliveries - 1
    this.stalled = deliveries > 1
    const [ran, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    this.ran = ran.promise
    this.over = over.promise
    this.#endRun = ran.resolve
    this.#end = () => {
      ran.resolve()
      over.resolve()
    }
  }

  /**
   * Whether it is to run: it is due, nobody has removed it, and no earlier delivery has settled it. Waits for a removal
   * that is not decided. What is not to run is acknowledged, unless it is gone: then the server has nothing to be told.
   */
  async admit(): Promise<boolean> {
    try {
      const { dueAt = 0 } = this.#reading
      while (dueAt > Date.now()) await pause(dueAt - Date.now())
      const standing = await this.#standing()
      if (standing === 'current') return true
      if (standing === 'superseded') await this.#acknowledge()
    } catch (error) {
      this.#holding.client.report(toJobportError(error, `job ${this.message.id}`))
    }
    this.#end()
    return false
  }

  async settle(outcome: Outcome): Promise<void> {
    if (this.#settling || this.lease.isLost) throw this.#leaseLost()
    this.#settling = this.#settle(outcome)
    return this.#settling
  }

  /** Renews the lease, or gives it up if that was not possible in time. */
  async renew(): Promise<void> {
    if (this.#isLapsed) return this.#lose()
    const now = Date.now()
    try {
      await this.#holding.client.request(this.#native.reply!, '+WPI')
      if (!this.#isLapsed) this.#renewedAt = Math.max(this.#renewedAt, now)
    } catch {
      // the next beat tries again, until it is too late
    }
  }

  /** Back to the queue as it was, or whatever its settlement says. Never rejects. */
  async giveBack(): Promise<void> {
    if (this.lease.isLost) return
    const unsettled = this.#settling === undefined
    this.#settling ??= this.#settle({ type: 'release' })
    if (unsettled) this.lease.lose()
    await this.#settling.catch(() => {})
    await this.acknowledged
  }

  get #isLapsed(): boolean {
    return Date.now() - this.#renewedAt >= this.#holding.ackWait
  }

  #lose(): void {
    if (this.#settling) return
    this.lease.lose()
    this.#end()
  }

  async #standing(): Promise<'current' | 'superseded' | 'gone'> {
    const { token, uid, dueAt } = this.#reading
    const { seq } = this.#arrival
    const { records } = this.#holding
    const { names } = records
    const tombstone = names.removed(token, uid)
    let isKnown = false
    while (!this.#isLapsed && !this.#settling) {
      const newest = await this.#last(names.any(token))
      if (!newest || newest.seq < seq) {
        if (isKnown) return 'gone'
        // of several copies, one may have been delivered before the leader, who is asked, has it
        isKnown = (await this.#persist(() => records.lastSequence())) >= seq
        if (!isKnown) await pause(LOOK)
        continue
      }
      if (newest.seq === seq && dueAt === undefined) return 'current'
      // what came due while it was being removed is newer than its tombstone
      const removal = newest.seq === seq ? await this.#last(tombstone) : newest
      if (!removal) return 'current'
      if (removal.subject === tombstone ? isFinal(removal) : !(await this.#persist(() => removeStray(removal, records))))
        return 'superseded'
      await pause(LOOK)
    }
    throw this.#leaseLost()
  }

  #last(filter: string): Promise<StoredRecord | undefined> {
    return this.#persist(() => this.#holding.records.last(filter))
  }

  /** What may run again at once is settled as soon as it is written: else its next run would begin before this one's end. */
  async #settle(outcome: Outcome): Promise<void> {
    const isEnd = outcome.type === 'complete' || outcome.type === 'dead'
    if (isEnd) this.#endRun()
    try {
      await this.#write(outcome)
    } finally {
      this.#end()
    }
    this.acknowledged = this.#acknowledge()
    if (isEnd) await this.acknowledged
  }

  async #write(outcome: Outcome): Promise<void> {
    const { records } = this.#holding
    const write = this.#plan(outcome)
    const by = crypto.randomUUID()
    const signed = { ...write, headers: { ...write.headers, [BY]: by } }
    const expected = { seq: this.#arrival.seq, of: records.names.any(this.#reading.token) }
    while (!this.#isLapsed) {
      const end = await this.#persist(() => this.#writeOnce(signed, expected, by))
      if (end === 'written') return
      if (end === 'superseded') break
      await pause(LOOK)
    }
    throw this.#gone()
  }

  /** `held up`: somebody wants to remove it, and will see that it is in our hands. */
  async #writeOnce(write: Write, expected: Expectation, by: string): Promise<'written' | 'superseded' | 'held up'> {
    const { records } = this.#holding
    try {
      await records.write(write, expected)
      return 'written'
    } catch (error) {
      if (!isRefusal(error, 'conflict')) throw error
    }
    const newest = await records.last(expected.of)
    if (newest && header(newest, BY) === by) return 'written'
    const { uid, token } = this.#reading
    if (newest?.seq === expected.seq) return 'held up'
    if (newest?.subject === records.names.removed(token, uid)) return isFinal(newest) ? 'superseded' : 'held up'
    return newest && uidOf(newest) !== uid && (await removeStray(newest, records)) ? 'held up' : 'superseded'
  }

  #plan(outcome: Outcome): Write {
    const {
      client,
      records: { names },
    } = this.#holding
    const { token, level, uid } = this.#reading
    const { data } = this.#native
    const state: State = { uid, attempt: this.attempt, crashes: this.crashes }
    switch (outcome.type) {
      case 'complete': {
        const { keep } = client.settings
        const { dedup, addedAt, id } = this.message
        const until = dedup && id !== uid ? addedAt + dedup.ttl : 0
        // longer than a redelivery takes that must find it
        const ttl = Math.max(keep, this.#holding.ackWait * 2, until - Date.now())
        return completedWrite(names, token, state, outcome.result, ttl, until)
      }
      case 'again': {
        const dueAt = outcome.delay > 0 ? Date.now() + Math.ceil(outcome.delay) : undefined
        const next = { ...state, attempt: outcome.attempt, ...(dueAt !== undefined && { dueAt }) }
        return liveWrite(names, token, level, next, data)
      }
      case 'release':
        return liveWrite(names, token, level, state, data)
      case 'dead':
        return deadWrite(names, token, state, outcome.reason, outcome.error, data)
    }
  }

  /** Tries until the server has answered or the lease is lost. */
  async #persist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!isPassing(error) && !isRefusal(error, 'inFlight'))
          throw error instanceof JobportError ? error : toJobportError(error, 'settling')
        if (this.#holding.signal.aborted) throw toJobportError(error, 'settling')
        if (this.#isLapsed) throw this.#gone(error)
        await pause(RETRY, undefined, { signal: this.#holding.signal }).catch(() => {})
      }
    }
  }

  /** What it is acknowledged for is written: should this fail, its next delivery finds that and ends here. */
  async #acknowledge(): Promise<void> {
    for (let tries = 1; tries <= ACK_TRIES && !this.#holding.signal.aborted; tries++) {
      const acknowledged = await this.#holding.client.request(this.#native.reply!, '+ACK').catch(() => undefined)
      if (acknowledged) return
    }
  }

  #gone(cause?: unknown): JobportError {
    this.lease.lose()
    return this.#leaseLost(cause)
  }

  #leaseLost(cause?: unknown): JobportError {
    const { id } = this.message
    return new JobportError('LEASE_LOST', `job ${id} is no longer held`, { id, ...(cause !== undefined && { cause }) })
  }
}
