import { JobportError, type Consumer, type Delivery, type Message } from '@jobport/core/driver'
import { once } from 'node:events'
import { within } from './deadline.ts'
import { isLeaseLost, toJobportError } from './faults.ts'
import { LeasedJob, type Holding } from './leased-job.ts'
import { fromJob, hasGivenId, isOurs, type ForeignBackoff } from './mapping.ts'
import type { Attend, Fetched, LeaseWorker, NativeJob } from './lease-worker.ts'
import type { Ledger } from './ledger.ts'
import type { Note } from './note.ts'
import { Returns } from './returns.ts'
import type { Subscription } from './store.ts'

export interface ConsumerOptions {
  readonly lockDuration: number
  readonly deliver: (delivery: Delivery) => void
  readonly onError: (error: Error) => void
  readonly onEnd: () => void
}

const NOTHING: Note = {}
const LONGEST_PULSE = 5_000
const READY_DEADLINE = 4_500
const RETURN_DEADLINE = 1_700
const CLOSE_DEADLINE = 900
const PAUSE_DEADLINE = 5_000
const QUIET_DEADLINE = 1_500

/** A BullMQ worker whose jobs core runs. */
export class BullMQConsumer implements Consumer {
  lastContact: number = Date.now()
  readonly #worker: LeaseWorker
  readonly #ledger: Ledger
  readonly #ping: () => Promise<unknown>
  readonly #leave: () => Promise<void>
  readonly #options: ConsumerOptions
  readonly #holding: Holding
  readonly #held = new Map<string, LeasedJob>()
  readonly #foreign = new Set<string>()
  #delivered = 0
  readonly #closing = new AbortController()
  readonly #pulse: NodeJS.Timeout
  #pinging = false
  #stopped = false
  #paused = false
  #closed: Promise<void> | undefined

  constructor(subscribe: (attend: Attend) => Subscription, options: ConsumerOptions) {
    const { worker, ledger, ping, leave, spare } = subscribe((job, mayFetch) =>
      hasPast(job) || this.#stopped ? this.#attend(job, mayFetch) : this.#deliver(job, mayFetch, NOTHING),
    )
    this.#worker = worker
    this.#ledger = ledger
    this.#holding = {
      worker,
      ledger,
      returns: new Returns(),
      signal: this.#closing.signal,
      patience: options.lockDuration / 2,
      onEnd: (leased, uid) => this.#ended(leased, uid),
      onForeign: (message, backoff) => this.#tellForeign(message, backoff),
    }
    this.#ping = ping
    this.#leave = leave
    this.#options = options
    worker.ledger = ledger
    worker.spare = spare
    worker.on('error', (error) => this.#report(error))
    worker.on('locksRenewed', ({ jobIds }) => this.#renewed(jobIds))
    worker.on('lockRenewalFailed', (uids) => uids.forEach((uid) => this.#held.get(uid)?.lose()))
    worker.on('stalled', (uid) => this.#held.get(uid)?.lose())
    this.#pulse = setInterval(() => this.#beat(), Math.min(options.lockDuration / 4, LONGEST_PULSE)).unref()
  }

  /** Begins. Rejects with `UNAVAILABLE`, and is then closed, if the store cannot be reached soon. */
  async start(): Promise<void> {
    try {
      await within(READY_DEADLINE, 'consuming', this.#worker.waitUntilReady())
    } catch (error) {
      await this.close()
      throw toJobportError(error, 'consuming')
    }
    this.lastContact = Date.now()
    void this.#worker.run().catch((error: Error) => this.#report(error))
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const retired = Promise.race([this.#worker.retire(), once(this.#closing.signal, 'abort')])
    void within(PAUSE_DEADLINE, 'pausing', retired)
      .catch(() => {})
      .then(() => {
        this.#paused = true
        this.#retire()
      })
    const ended = Promise.all([this.#worker.inFlight.none(), this.#leave()])
    await within(QUIET_DEADLINE, 'handing fetched jobs back', ended).catch((error: Error) => this.#report(error))
  }

  /** Hands everything back. Ends within 4 s whatever the store does. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.stop()
    const returned = Promise.all([...this.#held.values()].map((job) => job.giveBack())).then(() => this.#worker.inFlight.none())
    await within(RETURN_DEADLINE, 'handing jobs back', returned).catch((error: Error) => this.#report(error))
    this.#closing.abort()
    for (const job of this.#held.values()) job.cut()
    clearInterval(this.#pulse)
    await within(CLOSE_DEADLINE, 'closing a worker', this.#worker.close(true)).catch((error: Error) => this.#report(error))
    this.#options.onEnd()
  }

  async #attend(job: NativeJob, mayFetch: () => boolean): Promise<Fetched | undefined> {
    const { inFlight } = this.#worker
    const note = await inFlight.track(this.#recall(job))
    return this.#stopped ? inFlight.track(this.#handBack(job)) : this.#deliver(job, mayFetch, note)
  }

  #deliver(job: NativeJob, mayFetch: () => boolean, note: Note): Promise<Fetched | undefined> {
    const uid = job.id!
    // an earlier delivery of this job to this very worker, which was too busy to notice that it lost it
    this.#held.get(uid)?.lose()
    const leased = new LeasedJob(job, note, this.#delivered++, mayFetch, this.#holding)
    this.#held.set(uid, leased)
    this.#options.deliver(leased)
    return leased.over
  }

  #ended(leased: LeasedJob, uid: string): void {
    if (this.#held.get(uid) === leased) this.#held.delete(uid)
    this.#retire()
  }

  async #handBack(job: NativeJob): Promise<undefined> {
    await job.moveToWait(job.token).catch((error: Error) => this.#report(error))
  }

  /** Once stopped, the worker is needed only for the leases in hand. */
  #retire(): void {
    if (this.#paused && this.#held.size === 0) void this.close()
  }

  async #recall(job: NativeJob): Promise<Note> {
    if (!hasPast(job)) return NOTHING
    const lease = { uid: job.id!, token: job.token! }
    return this.#ledger.recall(lease, keyOf(job)).catch((error: Error) => {
      this.#report(error)
      return {}
    })
  }

  #renewed(uids: readonly string[]): void {
    const now = Date.now()
    for (const uid of uids) {
      const job = this.#held.get(uid)
      if (job) job.renewedAt = now
    }
  }

  /** Gives up leases that nobody has renewed in time, and listens whether the store is still there. */
  #beat(): void {
    const overdue = Date.now() - this.#options.lockDuration
    for (const job of this.#held.values()) if (job.renewedAt < overdue) job.lose()
    if (this.#pinging) return
    this.#pinging = true
    this.#ping()
      .then(() => {
        if (this.#worker.isAlive) this.lastContact = Date.now()
      })
      .catch((error: Error) => this.#report(error))
      .finally(() => (this.#pinging = false))
  }

  /** Once for each type. */
  #tellForeign({ id, name }: Message, { type, delay }: ForeignBackoff): void {
    if (this.#foreign.has(type)) return
    this.#foreign.add(type)
    const what = `${name} ${id} asks for the backoff '${type}', a strategy of BullMQ's workers that Jobport does not know`
    const wait = delay > 0 ? `its retries wait ${delay} ms, its own delay` : 'it names no delay, so its retries do not wait'
    this.#options.onError(new JobportError('NOT_SUPPORTED', `${what}: ${wait}, unless the worker's backoff decides`, { id }))
  }

  /** A lease lost is told by the delivery itself; a connection lost, by the driver. */
  #report(error: Error): void {
    if (this.#closing.signal.aborted || isLeaseLost(error)) return
    const told = toJobportError(error, 'a worker')
    if (told.code !== 'UNAVAILABLE' || error instanceof JobportError) this.#options.onError(told)
  }
}

/** A first delivery has nothing to recall, and costs nothing. */
function hasPast(job: NativeJob): boolean {
  return job.stalledCounter > 0 || (job.attemptsStarted > 1 && keyOf(job) !== undefined)
}

/** The id that its caller gave it. */
function keyOf(job: NativeJob): string | undefined {
  const { message } = fromJob(job)
  return hasGivenId(message) && isOurs(job) ? message.id : undefined
}
