import { Worker, type BackendFactory, type IQueueBackend, type Job, type JobJson, type WorkerOptions } from 'bullmq'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { InFlight } from './in-flight.ts'
import { markUnreadable } from './mapping.ts'
import type { Ledger } from './ledger.ts'

export type NativeJob = Job<unknown, unknown>

/** What a plain worker of the queue writes on a job that it found stalled too often. The crash limit is core's. */
const STALLED_TOO_OFTEN = 'job stalled more than allowable limit'
/** So that a dead connection is noticed; s. */
const LONGEST_WAIT = 10
/** When a lease that is to be renewed next was renewed last, for all that BullMQ knows; ms. */
const LONG_AGO = 1
/** BullMQ gives a wait up one second after its time, and then repairs the connection; ms. */
const OVERTIME = 3_000
/** For BullMQ, which would fetch after a wait that has ended with nothing. */
const NOTHING_COMES = { member: '', score: Infinity }
/** A renewal that has no answer after this part of the lease is asked for again; BullMQ begins with half of the lease left. */
const PATIENCE = 8

export type Leases = Pick<IQueueBackend, 'extendLocks'>

/** The job that settling another one has fetched, if any, and until when to fetch no more; as BullMQ's scripts answer. */
export type Fetched = readonly [json: JobJson, id: string, limitDelay: number, delayUntil: number]

/** Has a job run; resolves, never rejects, once it is no longer in hand. `mayFetch`: whether settling may fetch another one. */
export type Attend = (job: NativeJob, mayFetch: () => boolean) => Promise<Fetched | undefined>

/**
 * BullMQ's worker, made to survive records that it cannot parse, and leases of its own that overlap. It fetches and renews;
 * whoever attends a job settles it.
 */
export class LeaseWorker extends Worker<unknown, unknown, string, IQueueBackend> {
  /** Set before `run`. */
  ledger: Ledger | undefined
  /** Set before `run`: where leases are renewed while the usual connection does not answer. */
  spare: (() => Leases) | undefined
  /** Until when the wait for a job that is under way must have ended, epoch ms. */
  declare waitsUntil: number | undefined
  declare retired: boolean | undefined
  declare wait: Promise<unknown> | undefined
  /** Whatever can bring a job: fetching, and settling, which fetches the next. */
  readonly inFlight: InFlight = new InFlight()
  readonly #leases = new Map<string, NativeJob>()
  readonly #attend: Attend

  constructor(name: string, attend: Attend, options: WorkerOptions, factory: BackendFactory) {
    // BullMQ wants a processor; it calls none for a job that has failed already
    super(name, () => Promise.resolve(undefined), options, factory)
    // the connection carries it by now; on each job, where BullMQ would write it too, nobody reads it
    delete this.opts.name
    this.#attend = attend
  }

  /** Its loop turns: it runs jobs, or waits for one that can still come. */
  get isAlive(): boolean {
    return this.isRunning() && (this.waitsUntil === undefined || Date.now() < this.waitsUntil)
  }

  override get maximumBlockTimeout(): number {
    return Math.min(super.maximumBlockTimeout, LONGEST_WAIT)
  }

  /**
   * Fetches no more, except once, after a wait that has been told of a job: nobody else was told of that. Resolves once the
   * jobs in hand are settled, or never if the connection is gone.
   */
  async retire(): Promise<void> {
    this.retired = true
    if (this.wait) void this.inFlight.track(this.wait)
    await this.pause()
  }

  /** What was settled meanwhile has no lease to lose, even if it is back already: the answer is not about that. */
  override async extendJobLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    const asked = new Map(jobIds.map((id) => [id, this.#leases.get(id)]))
    const failed = await this.#extend(jobIds, tokens, duration)
    return failed.filter((id) => asked.get(id) === this.#leases.get(id))
  }

  /** The job that a parse error has hidden: it is active under `token`. In the shape of BullMQ's answers. */
  async salvage(token: string): Promise<Fetched | undefined> {
    const raw = await this.ledger?.salvage(token)
    return raw && [standIn(raw.uid, raw.name, raw.data), raw.uid, 0, 0]
  }

  /** BullMQ stops renewing by the job's id, even if a newer delivery of the same job has come meanwhile. */
  override async processJob(job: NativeJob, token: string, fetchNext: () => boolean = () => true): Promise<void | NativeJob> {
    const id = job.id!
    try {
      // one that a plain BullMQ parent or child has doomed
      if (job.deferredFailure) return await super.processJob(job, token, fetchNext)
      const fetched = await this.#attend(job, () => fetchNext() && !this.closing && !this.paused)
      return fetched && (await this.#next(fetched, token))
    } finally {
      this.lockManager.untrackJob(id)
      const newest = this.#leases.get(id)
      if (newest === job) this.#leases.delete(id)
      else if (newest) this.#renew(newest)
    }
  }

  protected override createBackend(): void {
    super.createBackend()
    const { backend } = this
    const wait = backend.waitForJob.bind(backend)
    const reconnect = backend.reconnectBlocking.bind(backend)
    // after a pause BullMQ connects anew, behind the back of a `close` that came meanwhile
    backend.reconnectBlocking = async () => (this.retired ? undefined : reconnect())
    backend.waitForJob = async (timeout) => {
      this.waitsUntil = Date.now() + timeout * 1_000 + OVERTIME
      const waiting = wait(timeout)
      this.wait = waiting
      try {
        return (await waiting) ?? (this.retired ? NOTHING_COMES : null)
      } finally {
        this.waitsUntil = undefined
        this.wait = undefined
      }
    }
  }

  protected override createJob(json: JobJson, id: string): NativeJob {
    const job = this.#read(json, id)
    if (job.deferredFailure === STALLED_TOO_OFTEN) job.deferredFailure = ''
    return job
  }

  /** From here on the lease is renewed: the job still waits until the other slots have been served, a round trip each. */
  protected override async nextJobFromJobData(json?: JobJson, id?: string, token?: string): Promise<NativeJob> {
    const job = await super.nextJobFromJobData(json, id, token)
    // BullMQ's type does not say that there may be none
    if ((job as NativeJob | undefined) !== undefined) {
      this.#leases.set(job.id!, job)
      this.#renew(job)
    }
    return job
  }

  protected override async moveToActive(token: string, name?: string): Promise<NativeJob> {
    try {
      return await this.inFlight.track(super.moveToActive(token, name))
    } catch (error) {
      const salvaged = error instanceof SyntaxError ? await this.salvage(token) : undefined
      if (!salvaged) throw error
      const [json, id] = salvaged
      return this.nextJobFromJobData(json, id, token)
    }
  }

  /** Renews the lease from now on, as BullMQ does while it processes a job, but for the first time as soon as it looks. */
  #renew(job: NativeJob): void {
    this.lockManager.trackJob(job.id!, job.token!, LONG_AGO)
  }

  #next([json, id, limitDelay, delayUntil]: Fetched, token: string): Promise<NativeJob> {
    const { updateDelays } = this as unknown as { updateDelays: (limitDelay: number, delayUntil: number) => void }
    updateDelays.call(this, limitDelay, delayUntil)
    return this.nextJobFromJobData(json, id, token)
  }

  /** The first answer counts. A connection can hang for long before anybody knows. */
  async #extend(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    const answered = new AbortController()
    const { signal } = answered
    const again = async (): Promise<string[]> => {
      await pause(duration / PATIENCE, undefined, { signal, ref: false })
      // an event loop that was blocked has not read yet what had come
      await turn(undefined, { signal })
      return this.spare!().extendLocks(jobIds, tokens, duration)
    }
    return Promise.any([super.extendJobLocks(jobIds, tokens, duration), again()])
      .catch(({ errors }: AggregateError) => {
        throw errors[0]
      })
      .finally(() => answered.abort())
  }

  #read(json: JobJson, id: string): NativeJob {
    try {
      const job = super.createJob(json, id)
      return STAND_IN in json ? markUnreadable(job) : job
    } catch {
      return markUnreadable(super.createJob({ ...json, data: JSON.stringify(json.data) }, id))
    }
  }
}

const STAND_IN = Symbol('stand-in')

function standIn(id: string, name: string, data: string): JobJson {
  const json: JobJson = {
    id,
    name,
    data: JSON.stringify(data),
    opts: {},
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    timestamp: Date.now(),
    failedReason: '',
    returnvalue: '',
    stalledCounter: 0,
  }
  return Object.assign(json, { [STAND_IN]: true })
}
