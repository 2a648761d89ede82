import { Consuming } from './consuming.ts'
import { pause, MAX_TIMER } from './deadline.ts'
import { ENVELOPE_VERSION } from './envelope.ts'
import { JobportError, toError, toJobError } from './errors.ts'
import { Emitter, type WorkerEvents } from './events.ts'
import { HandlerMap, type Handlers } from './handlers.ts'
import { Job, type JobOf } from './job.ts'
import { checkQueueName } from './names.ts'
import { callable, checkRecord, finite, whole } from './options.ts'
import { Run, type BackoffFunction, type Verdict } from './run.ts'
import type { Connection } from './connection.ts'
import type { DeadReason, Delivery, Outcome } from './driver.ts'
import type { Middleware } from './middleware.ts'

export interface WorkerOptions {
  /** Jobs running at once in this worker. Default 1. */
  readonly concurrency?: number
  /** Longest run in ms, for jobs that brought none. Default: none. */
  readonly timeout?: number
  /** For jobs that brought none. Default: no wait. */
  readonly backoff?: BackoffFunction
  /** Lost workers that a job may cost before it is dead. Default 3. */
  readonly crashLimit?: number
  /** Around every run, the first outermost. */
  readonly middleware?: readonly Middleware[]
}

export interface StopOptions {
  /** How long running jobs may take to finish, ms; then they are aborted and given back. Default 10,000. */
  readonly timeout?: number
}

/** From this many crashes on a job runs alone, so that it cannot drag its neighbours along. */
const SUSPECT = 2
/** How long a job of a newer version is held before it goes back, ms: long enough not to spin, short enough not to hinder. */
const NEWER_HOLD = 1_000
/** What an aborted job gets to be given back, ms. */
const STOP_GRACE = 1_000

/** The consuming side of a named queue. Starts by itself on the next turn of the event loop. */
export class Worker<Jobs extends object = Record<string, unknown>> extends Emitter<WorkerEvents<JobOf<Jobs>>> {
  readonly queue: string
  readonly #handlers: HandlerMap
  readonly #options: WorkerOptions
  readonly #crashLimit: number
  readonly #consuming: Consuming
  readonly #runs = new Set<Run>()
  /** Settled in this turn of the event loop. */
  #settled: Run[] = []
  /** Everything received and not yet settled, and when that will be. */
  readonly #work = new Map<Delivery, Promise<void>>()
  readonly #stopping = new AbortController()
  #alone: Delivery | undefined
  #stopped: Promise<void> | undefined

  /** Made by `broker.worker`. Throws `INVALID_ARGUMENT`. */
  constructor(queue: string, handlers: Handlers<Jobs>, connection: Connection, options: WorkerOptions = {}) {
    super()
    checkQueueName(queue)
    checkRecord(options, '', RULES)
    this.queue = queue
    this.#options = options
    this.#crashLimit = options.crashLimit ?? 3
    this.#handlers = new HandlerMap(queue, handlers, options.middleware ?? [])
    this.#consuming = new Consuming(queue, connection, {
      prefetch: options.concurrency ?? 1,
      signal: this.#stopping.signal,
      deliver: (delivery) => this.#accept(delivery),
      onError: (error) => this.emit('error', error),
    })
    setImmediate(() => this.#consuming.start())
  }

  /** Resolves once jobs are being consumed; rejects if they never will be. */
  ready(): Promise<void> {
    return this.#consuming.ready
  }

  /** Whether the broker was heard of lately on this worker's subscription. */
  get consuming(): boolean {
    return this.#consuming.alive
  }

  /** Whether it was told to stop. */
  get stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  /** Jobs in hand. */
  get running(): number {
    return this.#work.size
  }

  /**
   * Takes nothing new, waits, then aborts what still runs and gives it back. Idempotent. Ends within `timeout` plus a
   * second, even if the broker is away.
   */
  async stop(options: StopOptions = {}): Promise<void> {
    checkStop(options)
    this.#stopped ??= this.#stop(options.timeout ?? 10_000)
    return this.#stopped
  }

  async #stop(timeout: number): Promise<void> {
    this.#stopping.abort()
    const ended = this.#consuming.stop().then(() => this.#idle())
    await atMost(timeout, ended)
    for (const run of this.#runs) run.abort(new JobportError('CLOSED', 'the worker stops'))
    await atMost(STOP_GRACE, ended)
  }

  async #idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work.values())
  }

  #accept(delivery: Delivery): void {
    this.#work.set(delivery, this.#attend(delivery))
  }

  async #attend(delivery: Delivery): Promise<void> {
    try {
      await this.#take(delivery)
    } catch (thrown) {
      this.emit('error', toError(thrown))
    } finally {
      this.#work.delete(delivery)
    }
  }

  #take(delivery: Delivery): Promise<void> {
    if (this.#mustYield(delivery)) return this.#yield(delivery)
    const { message, crashes, stalled, invalid } = delivery
    if (message.version > ENVELOPE_VERSION) return this.#handBack(delivery)
    const job = new Job(this.queue, delivery)
    if (stalled) this.#emit('stalled', job)
    if (invalid) return this.#bury(delivery, job, 'invalid', new JobportError('INVALID_MESSAGE', invalid.message))
    if (crashes > this.#crashLimit) return this.#bury(delivery, job, 'crashes', lostWorkers(crashes))
    if (crashes >= SUSPECT) return this.#runAlone(delivery, job)
    return this.#run(delivery, job)
  }

  #mustYield(delivery: Delivery): boolean {
    return this.#stopped !== undefined || (this.#alone !== undefined && this.#alone !== delivery)
  }

  /** Gives it back once nothing more is fetched: earlier, it would come straight back to this worker. */
  async #yield(delivery: Delivery): Promise<void> {
    await this.#consuming.halt()
    await delivery.settle({ type: 'release' })
  }

  async #run(delivery: Delivery, job: Job): Promise<void> {
    const entry = this.#handlers.find(job.name)
    if (!entry) return this.#bury(delivery, job, 'unknown', new Error(`no handler for jobs named '${job.name}'`))
    let seen = job
    if (entry.definition) {
      const data = await entry.definition.validate(job.data).catch(toError)
      if (data instanceof Error) return this.#bury(delivery, job, 'invalid', data)
      if (this.#mustYield(delivery)) return this.#yield(delivery)
      seen = new Job(this.queue, delivery, data)
    }
    const run = new Run(seen, delivery)
    this.#runs.add(run)
    this.#emit('active', seen)
    try {
      const verdict = await run.execute(entry.handler, this.#options)
      if (verdict.trouble) this.emit('error', verdict.trouble)
      if (!verdict.outcome) throw verdict.error!
      await delivery.settle(verdict.outcome)
      this.#tell(seen, verdict.outcome, verdict)
    } finally {
      this.#runs.delete(run)
      this.#finish(run)
    }
  }

  /** At the end of this turn: firing a signal takes longer than all else here, and the next job should not wait for it. */
  #finish(run: Run): void {
    if (this.#settled.push(run) > 1) return
    setImmediate(() => {
      for (const settled of this.#settled.splice(0)) settled.finish()
    })
  }

  #tell(job: Job, outcome: Outcome, { error, result }: Verdict): void {
    if (outcome.type === 'complete') this.#emit('completed', job, result)
    if (outcome.type === 'again') this.#emit('failed', job, error!, outcome.delay)
    if (outcome.type === 'dead') {
      this.#emit('failed', job, error!, null)
      this.#emit('dead', job, error!, outcome.reason)
    }
  }

  /** Dead without a run. */
  async #bury(delivery: Delivery, job: Job, reason: DeadReason, error: Error): Promise<void> {
    await delivery.settle({ type: 'dead', reason, error: toJobError(error) })
    this.#emit('dead', job, error, reason)
  }

  /** What has not started goes back first; what has is waited for. */
  async #runAlone(delivery: Delivery, job: Job): Promise<void> {
    this.#alone = delivery
    try {
      await this.#consuming.halt()
      await Promise.all([...this.#work].filter(([other]) => other !== delivery).map(([, settled]) => settled))
      if (this.#stopping.signal.aborted) return await delivery.settle({ type: 'release' })
      await this.#run(delivery, job)
    } finally {
      this.#alone = undefined
      this.#consuming.start()
    }
  }

  /** A job of a newer version waits for a newer worker. */
  async #handBack(delivery: Delivery): Promise<void> {
    const { id, version } = delivery.message
    this.emit(
      'error',
      new JobportError('INVALID_MESSAGE', `job ${id} has envelope version ${version}; this worker knows ${ENVELOPE_VERSION}`),
    )
    await pause(NEWER_HOLD, this.#stopping.signal)
    if (this.#mustYield(delivery)) return this.#yield(delivery)
    await delivery.settle({ type: 'release' })
  }

  /** The typed view of an event whose job came from the broker. */
  #emit(name: keyof WorkerEvents, ...args: unknown[]): void {
    this.emit(name, ...(args as never))
  }
}

const RULES = {
  concurrency: whole(1, 100_000),
  timeout: whole(1, MAX_TIMER),
  backoff: callable,
  crashLimit: whole(0, 1_000),
  middleware: (value: unknown, name: string): void => {
    if (!Array.isArray(value)) throw new JobportError('INVALID_ARGUMENT', `${name} must be a list of functions`)
    for (const item of value) callable(item, name)
  },
}

/** Throws `INVALID_ARGUMENT`. */
export function checkStop(options: StopOptions): void {
  checkRecord(options, '', STOP_RULES)
}

const STOP_RULES = { timeout: finite(0) }

function lostWorkers(crashes: number): Error {
  return new Error(`${crashes} workers were lost while they had this job`)
}

/** Resolves with `work`, or after `ms`. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const abort = new AbortController()
  await Promise.race([work, pause(ms, abort.signal)])
  abort.abort()
}
