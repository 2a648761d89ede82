import { JobportError, Lease, type Delivery, type JobError, type Message, type Outcome } from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { LeaseClock, now, type Moment } from './lease-clock.ts'
import { isMissing, isPassing, isRefusal, toJobportError, isUnheard } from './faults.ts'
import { BY, header, isFinal, read, uidOf, type Reading } from './mapping.ts'
import { outcomeWrite } from './outcome-write.ts'
import { arrivalOf, type Arrival } from './pulls.ts'
import { removeStray } from './removal.ts'
import type { Client } from './client.ts'
import type { Expectation, Records, Write } from './records.ts'
import type { Returns } from './returns.ts'
import type { StoredRecord } from './stored-record.ts'
import type { Msg } from '@nats-io/transport-node'

export interface Holding {
  readonly client: Client
  readonly records: Records
  /** ms. */
  readonly ackWait: number
  /** When the server was asked for it. */
  readonly askedAt: Moment
  readonly returns: Returns
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
  /** Resolves once what becomes of it is written, or it is dropped, abandoned or lost. */
  readonly over: Promise<void>
  /** What is left to say to the server then. */
  acknowledged: Promise<void> = Promise.resolve()
  readonly #clock: LeaseClock
  readonly #native: Msg
  readonly #holding: Holding
  readonly #arrival: Arrival
  readonly #reading: Reading
  readonly #endRun: () => void
  readonly #end: () => void
  /** The settlement under way, or the last: one that the server refused leaves room for another. */
  #settling: Promise<void> | undefined
  /** Signs what we write: an answer may be lost, and a lesser settlement follow. */
  #by: string | undefined
  #isAdmitted = false
  #isAbandoned = false

  constructor(native: Msg, holding: Holding) {
    this.#native = native
    this.#holding = holding
    this.#clock = new LeaseClock(holding.ackWait, holding.askedAt)
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
    if (this.#clock.isDue) void this.renew()
    try {
      const { dueAt = 0 } = this.#reading
      while (dueAt > Date.now()) await pause(dueAt - Date.now())
      const standing = await this.#standing()
      this.#isAdmitted = standing === 'current'
      if (this.#isAdmitted) return true
      if (standing === 'superseded') await this.#acknowledge()
    } catch (error) {
      this.#holding.client.report(toJobportError(error, `job ${this.message.id}`))
    }
    this.#end()
    return false
  }

  async settle(outcome: Outcome): Promise<void> {
    if (this.#settling || this.lease.isLost) throw this.#leaseLost()
    this.#settling = outcome.type === 'release' ? this.#release() : this.#settle(outcome)
    return this.#settling
  }

  abandon(): void {
    this.#isAbandoned = true
    this.lease.lose()
    this.#end()
  }

  /** Renews the lease, or gives it up if that was not possible in time. */
  async renew(): Promise<void> {
    if (this.#clock.isLapsed) return this.#lose()
    const asked = now()
    try {
      await this.#holding.client.request(this.#native.reply!, '+WPI')
      this.#clock.renewed(asked)
    } catch {
      // the next beat tries again, until it is too late
    }
  }

  /** Gives the lease up if its record is gone: somebody removed it, or settled it while we were held to be lost. */
  async verify(): Promise<void> {
    const { records } = this.#holding
    if (!this.#isAdmitted || this.#settling) return
    const isThere = await records.has(this.#native.subject).catch((error: unknown) => !isMissing(error))
    if (!isThere) this.#lose()
  }

  /** Back to the queue as it was, or whatever its settlement says. Never rejects. */
  async giveBack(): Promise<void> {
    if (this.lease.isLost) return
    const unsettled = this.#settling === undefined
    this.#settling ??= this.#settle({ type: 'release' })
    if (unsettled) this.lease.lose()
    await this.#settling.catch(() => this.#end())
    await this.acknowledged
  }

  get #isOver(): boolean {
    return this.#isAbandoned || this.#clock.isLapsed
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
    while (!this.#isOver && !this.#settling) {
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

  /** Behind those that came before it and go back at the same time. */
  #release(): Promise<void> {
    return this.#holding.returns.enter(this.#arrival.seq, () => this.#settle({ type: 'release' }))
  }

  /** What is retried at once is settled as soon as it is written: else its next run would begin before this one's end. Until the acknowledgement, the server counts it twice. */
  async #settle(outcome: Outcome): Promise<void> {
    const isEnd = outcome.type === 'complete' || outcome.type === 'dead'
    if (isEnd) this.#endRun()
    try {
      await this.#write(outcome)
    } catch (error) {
      if (isOver(error)) this.#end()
      else this.#settling = undefined
      throw error
    }
    this.#end()
    this.acknowledged = this.#acknowledge()
    if (outcome.type !== 'again' || outcome.delay > 0) await this.acknowledged
  }

  async #write(outcome: Outcome): Promise<void> {
    const { records, client, ackWait } = this.#holding
    const { names } = records
    const { keep } = client.settings
    const reading = this.#reading
    const write = outcomeWrite(outcome, { names, reading, crashes: this.crashes, data: this.#native.data, keep, ackWait })
    this.#by ??= crypto.randomUUID()
    const signed = { ...write, headers: { ...write.headers, [BY]: this.#by } }
    const expected = { seq: this.#arrival.seq, of: names.any(reading.token) }
    while (!this.#isOver) {
      const end = await this.#persist(() => this.#writeOnce(signed, expected))
      if (end === 'written') return
      if (end === 'superseded') break
      await pause(LOOK)
    }
    throw this.#gone()
  }

  /** `held up`: somebody wants to remove it, and will see that it is in our hands. */
  async #writeOnce(write: Write, expected: Expectation): Promise<'written' | 'superseded' | 'held up'> {
    const { records } = this.#holding
    try {
      await records.write(write, expected)
      return 'written'
    } catch (error) {
      if (!isRefusal(error, 'conflict')) throw error
    }
    const newest = await records.last(expected.of)
    if (newest && header(newest, BY) === this.#by) return 'written'
    const { uid, token } = this.#reading
    if (newest?.seq === expected.seq) return 'held up'
    if (newest?.subject === records.names.removed(token, uid)) return isFinal(newest) ? 'superseded' : 'held up'
    return newest && uidOf(newest) !== uid && (await removeStray(newest, records)) ? 'held up' : 'superseded'
  }

  /** Tries until the server has answered or the lease is lost. */
  async #persist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!isPassing(error) && !isRefusal(error, 'inFlight')) throw toJobportError(error, `job ${this.message.id}`)
        if (this.#holding.signal.aborted) throw new JobportError('CLOSED', 'the driver is closed', { cause: error })
        if (this.#isOver) throw this.#gone(error)
        await pause(RETRY, undefined, { signal: this.#holding.signal }).catch(() => {})
      }
    }
  }

  /**
   * What it is acknowledged for is written: should this fail, its next delivery finds that and ends here. Where nobody listens the
   * queue may have been dropped, and once it is there again, the same words would mean another job: so that is not asked twice.
   */
  async #acknowledge(): Promise<void> {
    for (let tries = 1; tries <= ACK_TRIES && !this.#holding.signal.aborted; tries++) {
      try {
        await this.#holding.client.request(this.#native.reply!, '+ACK')
        return
      } catch (error) {
        if (isUnheard(error)) return
      }
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

/** There is nothing left to settle. */
function isOver(error: unknown): boolean {
  return error instanceof JobportError && (error.code === 'LEASE_LOST' || error.code === 'CLOSED')
}
