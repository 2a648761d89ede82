import { Consuming } from './consuming.ts'
import { atMost, pause } from './deadline.ts'
import { EarlierRuns } from './earlier-runs.ts'
import { PayloadRefused, type JobDefinition } from './define-job.ts'
import { ENVELOPE_VERSION } from './envelope.ts'
import { JobportError } from './errors.ts'
import { toError, toJobError } from './job-error.ts'
import { Emitter, type WorkerEvents } from './events.ts'
import { Finishing } from './finishing.ts'
import { HandlerMap, type Handlers } from './handlers.ts'
import { Job, type JobOf } from './job.ts'
import { checkQueueName } from './names.ts'
import { Run, type RunPolicy, type Verdict } from './run.ts'
import { settle, type SettleOptions } from './settle.ts'
import { checkStop, checkWorkerOptions, type StopOptions, type WorkerOptions } from './worker-options.ts'
import { Connection } from './connection.ts'
import type { DeadReason, Delivery, Outcome } from './driver.ts'
import type { Handler } from './middleware.ts'

const RECEIVED = Promise.resolve()
/** From this many crashes on a job runs alone, so that it cannot drag its neighbours along. */
const SUSPECT = 2
/** How long a job of a newer version is held before it goes back, ms: long enough not to spin, short enough not to hinder. */
const NEWER_HOLD = 1_000
/** What an aborted job gets to be given back, ms. */
const STOP_GRACE = 1_000
/** What its handler gets of that to end, ms. */
const HANDLER_GRACE = 500

/** The consuming side of a named queue. Starts by itself on the next turn of the event loop. */
export class Worker<Jobs extends object = Record<string, unknown>> extends Emitter<WorkerEvents<JobOf<Jobs>>> {
  readonly queue: string
  readonly #handlers: HandlerMap
  readonly #options: WorkerOptions
  readonly #crashLimit: number
  readonly #connection: Connection
  readonly #consuming: Consuming
  /** The broker has refused how they ended, or not said for a minute. */
  readonly #stuck = new Set<Delivery>()
  readonly #earlier = new EarlierRuns()
  /** Fires when a stop has run out of time. */
  readonly #ended = new AbortController()
  readonly #settling: SettleOptions = {
    report: (error) => this.notify('error', error),
    onStuck: (delivery) => this.#stuck.add(delivery),
    signal: this.#ended.signal,
  }
  #policy: RunPolicy | undefined
  readonly #runs = new Set<Run>()
  readonly #finishing = new Finishing()
  /** Everything received and not yet settled, and when that will be. */
  readonly #work = new Map<Delivery, Promise<void>>()
  readonly #stopping = new AbortController()
  #alone: Delivery | undefined
  #stopped: Promise<void> | undefined

  /** Made by `broker.worker`. Throws `INVALID_ARGUMENT`. */
  constructor(queue: string, handlers: Handlers<Jobs>, connection: Connection, options: WorkerOptions = {}) {
    super(EVENTS)
    checkQueueName(queue)
    if (!(connection instanceof Connection)) throw new JobportError('INVALID_ARGUMENT', MADE_BY_BROKER)
    checkWorkerOptions(options)
    this.queue = queue
    this.#options = options
    this.#connection = connection
    this.#crashLimit = options.crashLimit ?? 3
    this.#handlers = new HandlerMap(queue, handlers, options.middleware ?? [])
    this.#consuming = new Consuming(queue, connection, {
      prefetch: options.concurrency ?? 1,
      signal: this.#stopping.signal,
      deliver: (delivery) => this.inContext(this.#accept, delivery),
      onError: (error) => this.notify('error', error),
    })
    setImmediate(() => this.#consuming.start())
  }

  /** Resolves once jobs are being consumed; rejects if they never will be. */
  ready(): Promise<void> {
    return this.#consuming.ready
  }

  /** Whether the broker was heard of lately on this worker's subscription, or one job runs alone while it is halted. */
  get consuming(): boolean {
    return this.#alone !== undefined || this.#consuming.alive
  }

  /** Whether it was told to stop. */
  get stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  /** Jobs in hand, the stuck ones included. */
  get running(): number {
    return this.#work.size
  }

  /**
   * Jobs in hand that have ended, while the broker refuses to store how, or has not answered for a minute. After a minute of
   * refusals the worker gives a job up; for an answer it waits.
   */
  get stuck(): number {
    return this.#stuck.size
  }

  /**
   * Takes nothing new, waits, then aborts what still runs and gives it back. Idempotent: the first call's `timeout` counts. Ends
   * within it plus a second, even if the broker is away.
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
    for (const run of this.#runs) run.end(new JobportError('CLOSED', 'the worker stops'), HANDLER_GRACE)
    this.#ended.abort()
    await atMost(STOP_GRACE, ended)
  }

  /** Stops it, as `await using` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work.values())
  }

  readonly #accept = (delivery: Delivery): void => {
    const work = this.#attend(delivery)
    // unless it ended before it could wait for anything
    if (this.#work.has(delivery)) this.#work.set(delivery, work)
  }

  async #attend(delivery: Delivery): Promise<void> {
    this.#work.set(delivery, RECEIVED)
    try {
      const earlier = this.#earlier.before(delivery.message.uid, this.#stopping.signal)
      if (earlier) await earlier
      await this.#take(delivery)
    } catch (thrown) {
      this.notify('error', toError(thrown))
      this.#abandon(delivery)
    } finally {
      this.#stuck.delete(delivery)
      this.#work.delete(delivery)
    }
  }

  /** Of no effect once it is settled or lost. */
  #abandon(delivery: Delivery): void {
    try {
      delivery.abandon()
    } catch (thrown) {
      this.notify('error', toError(thrown))
    }
  }

  #settle(delivery: Delivery, outcome: Outcome): Promise<boolean> {
    return settle(delivery, outcome, this.#settling)
  }

  #take(delivery: Delivery): Promise<void> {
    const { message, crashes, stalled, invalid } = delivery
    const isNewer = message.version > ENVELOPE_VERSION
    // also of one that goes back at once: the next delivery says nothing of it
    if (stalled && !isNewer) this.#emit('stalled', new Job(this.queue, delivery))
    if (this.#mustYield(delivery)) return this.#yield(delivery)
    if (isNewer) return this.#handBack(delivery)
    const job = new Job(this.queue, delivery)
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
    await this.#settle(delivery, { type: 'release' })
  }

  async #run(delivery: Delivery, job: Job): Promise<void> {
    const entry = this.#handlers.find(job.name)
    if (!entry) return this.#bury(delivery, job, 'unknown', new Error(`no handler for jobs named '${job.name}'`))
    const run = new Run(job, delivery)
    this.#runs.add(run)
    let seen = job
    const handler = entry.definition
      ? this.#validated(delivery, entry.definition, entry.handler, (valid) => (seen = valid))
      : entry.handler
    if (!entry.definition) this.#emit('active', job)
    try {
      const verdict = await run.execute(handler, (this.#policy ??= this.#makePolicy()))
      if (!verdict.outcome) throw verdict.error!
      if (verdict.outcome.type === 'release') return await this.#yield(delivery)
      const told = this.#end(delivery, seen, verdict.outcome, verdict)
      if (verdict.outcome.type === 'again') this.#earlier.add(job.uid, told)
      await told
    } finally {
      this.#runs.delete(run)
      this.#finishing.add(run)
    }
  }

  async #end(delivery: Delivery, job: Job, outcome: Outcome, verdict: Verdict): Promise<void> {
    if (await this.#settle(delivery, outcome)) this.#tell(job, outcome, verdict)
  }

  /** The handler behind its schema: a run starts once the payload is valid. */
  #validated(delivery: Delivery, definition: JobDefinition, handler: Handler, onValid: (job: Job) => void): Handler {
    return async (job, signal) => {
      const data = await definition.validate(job.data).catch((thrown: unknown) => {
        if (!(thrown instanceof PayloadRefused)) this.#emit('active', job)
        throw thrown
      })
      signal.throwIfAborted()
      const valid = new Job(this.queue, delivery, data)
      onValid(valid)
      this.#emit('active', valid)
      return handler(valid, signal)
    }
  }

  /** What the worker's options and its connected broker say about each run. */
  #makePolicy(): RunPolicy {
    const { timeout, backoff, abortGrace = 5_000 } = this.#options
    const { delay } = this.#connection.made!.features
    return {
      timeout,
      backoff,
      abortGrace,
      maxWait: delay ? delay.max : 0,
      maxResult: this.#connection.server!.maxPayload,
      report: (error) => this.notify('error', error),
    }
  }

  #tell(job: Job, outcome: Outcome, { error, result }: Verdict): void {
    if (outcome.type === 'complete') this.#emit('completed', job, result)
    if (outcome.type === 'again') this.#emit('failed', job, error!, outcome.delay)
    if (outcome.type === 'dead') {
      if (outcome.reason !== 'invalid') this.#emit('failed', job, error!, null)
      this.#emit('dead', job, error!, outcome.reason)
    }
  }

  /** Dead without a run. */
  async #bury(delivery: Delivery, job: Job, reason: DeadReason, error: Error): Promise<void> {
    if (await this.#settle(delivery, { type: 'dead', reason, error: toJobError(error) })) this.#emit('dead', job, error, reason)
  }

  /** What has not started goes back first; what has is waited for. */
  async #runAlone(delivery: Delivery, job: Job): Promise<void> {
    this.#alone = delivery
    try {
      await this.#consuming.halt()
      await Promise.all([...this.#work].filter(([other]) => other !== delivery).map(([, settled]) => settled))
      if (this.#stopping.signal.aborted) return void (await this.#settle(delivery, { type: 'release' }))
      await this.#run(delivery, job)
    } finally {
      this.#alone = undefined
      this.#consuming.start()
    }
  }

  /** A job of a newer version waits for a newer worker. */
  async #handBack(delivery: Delivery): Promise<void> {
    const { id, version } = delivery.message
    this.notify(
      'error',
      new JobportError('INVALID_MESSAGE', `job ${id} has envelope version ${version}; this worker knows ${ENVELOPE_VERSION}`),
    )
    await pause(NEWER_HOLD, this.#stopping.signal)
    if (this.#mustYield(delivery)) return this.#yield(delivery)
    await this.#settle(delivery, { type: 'release' })
  }

  /** The typed view of an event whose job came from the broker. */
  #emit(name: keyof WorkerEvents, ...args: unknown[]): void {
    this.notify(name, ...(args as never))
  }
}

const EVENTS: readonly (keyof WorkerEvents)[] = ['active', 'completed', 'failed', 'dead', 'stalled', 'error']

const MADE_BY_BROKER =
  "a worker is made by its broker: (await connect('redis://…')).worker(queue, handlers); 'connection' belongs to connect"

function lostWorkers(crashes: number): Error {
  return new Error(`${crashes} workers were lost while they had this job`)
}
