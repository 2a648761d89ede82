import { JobportError, Lease, type Delivery, type JobError, type Message, type Outcome } from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { isLeaseLost, isOutage, isPassing, toJobportError } from './faults.ts'
import { foreignBackoff, fromJob, hasGivenId, isOurs, type ForeignBackoff } from './mapping.ts'
import { LONGEST_WAIT } from './features.ts'
import { nativeError, storable } from './native-error.ts'
import type { Fetched, LeaseWorker, NativeJob } from './lease-worker.ts'
import type { Ledger, Look, Window } from './ledger.ts'
import type { Note } from './note.ts'
import type { Returns } from './returns.ts'

export interface Holding {
  readonly worker: LeaseWorker
  readonly ledger: Ledger
  readonly returns: Returns
  /** Fires when there is no more time for trying. */
  readonly signal: AbortSignal
  /** For how long a store may refuse what it may take later, before it counts as a refusal; ms. */
  readonly patience: number
  /** Told once a job is settled, lost or abandoned. */
  readonly onEnd: (leased: LeasedJob, uid: string) => void
  /** Told of a retry that nobody has given a wait, though the job asks for one that we do not know. */
  readonly onForeign: (message: Message, backoff: ForeignBackoff) => void
}

/** ms between two tries to settle with a store that does not take it. */
const RETRY = 250
const STACKS_KEPT = 10

/**
 * A job in our hands. Core decides, BullMQ moves: BullMQ looks at the job's options when it fails, so the outcome is
 * written there, into the copy in memory; the stored options stay the user's.
 */
export class LeasedJob implements Delivery {
  readonly message: Message
  readonly attempt: number
  readonly crashes: number
  readonly stalled: boolean
  declare readonly invalid?: JobError
  readonly lease: Lease = new Lease()
  /** Resolves once it is settled, lost or abandoned; with the next job, if settling fetched one. */
  readonly over: Promise<Fetched | undefined>
  /** Epoch ms. */
  renewedAt: number = Date.now()
  readonly #job: NativeJob
  readonly #note: Note
  /** How many were delivered before it. */
  readonly #place: number
  readonly #mayFetch: () => boolean
  readonly #holding: Holding
  readonly #resolve: (fetched?: Fetched) => void
  /** The only settlement there is, unless the store refused it. */
  #settling: Promise<void> | undefined
  #reject: ((error: JobportError) => void) | undefined
  #isOver = false

  constructor(job: NativeJob, note: Note, place: number, mayFetch: () => boolean, holding: Holding) {
    const { message, invalid } = fromJob(job)
    this.message = message
    if (invalid) this.invalid = invalid
    this.attempt = job.attemptsMade + 1
    this.crashes = Math.max(0, job.stalledCounter - (note.base ?? 0))
    this.stalled = job.stalledCounter > Math.max(note.seen ?? 0, note.base ?? 0)
    this.#job = job
    this.#note = note
    this.#place = place
    this.#mayFetch = mayFetch
    this.#holding = holding
    const { promise, resolve } = Promise.withResolvers<Fetched | undefined>()
    this.over = promise
    this.#resolve = resolve
  }

  settle(outcome: Outcome): Promise<void> {
    if (this.#settling || this.#isOver || this.lease.isLost) return Promise.reject(this.#leaseLost())
    return this.#begin(outcome)
  }

  /** BullMQ's slot is free again, and its lock manager forgets the job. */
  abandon(): void {
    this.#end()
  }

  /** The lease is gone: nothing is left to settle, and BullMQ's slot is free again. */
  lose(): void {
    if (this.#settling) return
    this.lease.lose()
    this.#end()
  }

  /** Back to the queue as it was, or whatever its settlement says. Never rejects. */
  async giveBack(): Promise<void> {
    if (this.#isOver || this.lease.isLost) return
    if (!this.#settling) {
      void this.#begin({ type: 'release' })
      this.lease.lose()
    }
    await this.#settling?.catch(() => {})
  }

  /** There is no more time: whatever the store may still say, nobody hears it. */
  cut(): void {
    const { id } = this.message
    this.#reject?.(new JobportError('CLOSED', `closed before job ${id} was settled`, { id }))
    this.#end()
  }

  #begin(outcome: Outcome): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#reject = reject
    this.#settling = promise
    this.#settle(outcome).then(resolve, reject)
    return promise
  }

  /** What the store refused leaves the job as it was: in hand, to be settled otherwise. */
  async #settle(outcome: Outcome): Promise<void> {
    const { opts, failedReason, stacktrace } = this.#job
    const before = { opts: { ...opts }, failedReason, stacktrace: [...(stacktrace ?? [])] }
    try {
      const note = this.#noteOf(outcome)
      const window = outcome.type === 'complete' ? this.#window() : undefined
      if (note || window) await this.#write(note, window)
      this.#end(await this.#move(outcome))
    } catch (error) {
      Object.assign(this.#job, before)
      if (this.lease.isLost || this.#holding.signal.aborted) this.#end()
      else this.#settling = undefined
      throw error
    }
  }

  #end(fetched?: Fetched): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#holding.onEnd(this, this.#job.id!)
    this.#resolve(fetched)
  }

  #move(outcome: Outcome): Promise<Fetched | undefined> {
    const { inFlight } = this.#holding.worker
    const move = this.#moveOf(outcome)
    return this.#insist(() => inFlight.track(move())).then(fetchedBy, (error: unknown) => this.#afterFailure(outcome, error))
  }

  /** What brings the job to where its outcome wants it. Only what ends its run may fetch another one. */
  #moveOf(outcome: Outcome): () => Promise<unknown> {
    const job = this.#job
    const token = job.token!
    const mayFetch = this.#mayFetch
    const { opts } = job
    if (outcome.type === 'complete') {
      const backend = this.#holding.worker.getBackend()
      // what BullMQ's own `moveToCompleted` does beside is for its telemetry
      return () => backend.moveToCompleted(job, outcome.result, opts.removeOnComplete!, token, mayFetch())
    }
    if (outcome.type === 'release') return () => this.#holding.returns.turn(this.#place).then(() => job.moveToWait(token))
    if (outcome.type === 'again' && outcome.attempt === this.attempt) {
      const due = Date.now() + Math.ceil(outcome.delay)
      return () => job.moveToDelayed(due, token)
    }
    opts.stackTraceLimit ??= STACKS_KEPT
    opts.attempts = outcome.type === 'dead' ? this.attempt : this.attempt + 1
    if (outcome.type === 'again') opts.backoff = { type: 'fixed', delay: Math.ceil(outcome.delay || this.#foreignWait()) }
    const error = nativeError(outcome.error)
    return () => job.moveToFailed(error, token, mayFetch())
  }

  /** Of a job whose backoff is a plain BullMQ worker's strategy: the wait that it names itself. */
  #foreignWait(): number {
    const foreign = foreignBackoff(this.#job)
    if (!foreign) return 0
    this.#holding.onForeign(this.message, foreign)
    return Math.min(foreign.delay, LONGEST_WAIT)
  }

  /** What the ledger must know before the job moves. */
  async #write(note: Note | undefined, window: Window | undefined): Promise<void> {
    const { id, token } = this.#job
    try {
      await this.#insist(() => this.#holding.ledger.note({ uid: id!, token: token! }, note, window))
    } catch (error) {
      throw isLeaseLost(error) ? this.#gone(error) : this.#refused(error)
    }
  }

  /** Sees its own earlier success behind a lost answer. */
  async #afterFailure(outcome: Outcome, error: unknown): Promise<Fetched | undefined> {
    // the move is done; the job that BullMQ fetched along with it cannot be parsed
    if (error instanceof SyntaxError) return this.#holding.worker.salvage(this.#job.token!)
    if (!isLeaseLost(error)) throw this.#refused(error)
    if (await this.#isSettled(outcome)) return undefined
    throw this.#gone(error)
  }

  /** Tries until the store has taken it, refused it, or there is no more time; the lease is renewed meanwhile. */
  #insist<T>(step: () => Promise<T>): Promise<T> {
    const traces = [...(this.#job.stacktrace ?? [])]
    return step().catch((error: unknown) => this.#again(step, error, traces))
  }

  async #again<T>(step: () => Promise<T>, error: unknown, traces: readonly string[]): Promise<T> {
    const { signal, patience } = this.#holding
    let refusedSince: number | undefined
    for (let fault = error; ; ) {
      if (!isPassing(fault) || signal.aborted) throw fault
      refusedSince = isOutage(fault) ? undefined : (refusedSince ?? Date.now())
      if (refusedSince !== undefined && Date.now() - refusedSince > patience) throw fault
      this.#job.stacktrace = [...traces]
      await pause(RETRY, undefined, { signal }).catch(() => {})
      try {
        return await step()
      } catch (thrown) {
        fault = thrown
      }
    }
  }

  /** An outage ends no settlement but by a close. */
  #refused(error: unknown): JobportError {
    const told = toJobportError(error, 'settling')
    if (!isPassing(error)) return told
    const { id } = this.message
    if (this.#holding.signal.aborted)
      return new JobportError('CLOSED', `closed before job ${id} was settled`, { id, cause: error })
    return new JobportError('REJECTED', told.message, { id, cause: error })
  }

  async #isSettled(outcome: Outcome): Promise<boolean> {
    const [look] = await this.#holding.ledger.look([this.#job.id!]).catch(() => [])
    return look !== undefined && look.started === this.#job.attemptsStarted && this.#isOutcome(outcome, look)
  }

  #isOutcome(outcome: Outcome, { state, made, stalls }: Look): boolean {
    if (outcome.type === 'complete') return state === 'completed'
    if (outcome.type === 'dead') return state === 'dead'
    if (outcome.type === 'again' && outcome.attempt !== this.attempt) return made === this.attempt
    return (state === 'waiting' || state === 'delayed') && stalls === this.#job.stalledCounter
  }

  #noteOf(outcome: Outcome): Note | undefined {
    const { stalledCounter: stalls } = this.#job
    if (outcome.type === 'complete') return undefined
    if (outcome.type === 'dead') {
      const { name, stack } = outcome.error
      return {
        reason: outcome.reason,
        error: storable(name),
        ...(!stack && { stack: stack === undefined ? 'none' : 'empty' }),
        ...(stalls > 0 && { seen: stalls, base: stalls }),
      }
    }
    return stalls > 0 ? { ...this.#note, seen: stalls } : undefined
  }

  /** What is left of `dedup.ttl`: a completed job's id stays taken for as long. */
  #window(): Window | undefined {
    const { id, dedup, addedAt } = this.message
    const left = dedup ? addedAt + dedup.ttl - Date.now() : 0
    return left > 0 && isOurs(this.#job) && hasGivenId(this.message) ? { id, left } : undefined
  }

  #gone(cause: unknown): JobportError {
    this.lease.lose()
    return this.#leaseLost(cause)
  }

  #leaseLost(cause?: unknown): JobportError {
    const { id } = this.message
    return new JobportError('LEASE_LOST', `job ${id} is no longer held`, { id, ...(cause !== undefined && { cause }) })
  }
}

/** BullMQ's answer to a move: the next job, or beside when this one ended. */
function fetchedBy(answer: unknown): Fetched | undefined {
  const next = (answer as { result?: unknown } | undefined)?.result ?? answer
  return Array.isArray(next) ? (next as unknown as Fetched) : undefined
}
