import {
  PostgresConnection,
  PostgresQueueBackend,
  type JobJson,
  type JobType,
  type KeepJobs,
  type MinimalJob,
  type ParentKeyOpts,
  type WorkerOptions,
} from 'bullmq'
import { setTimeout as pause } from 'node:timers/promises'
import { isPassing } from './faults.ts'
import { halvesOf, WORKERS, type Ear, type Signals } from './postgres-signals.ts'
import { CLAIMS, RELEASE } from './postgres-sql.ts'
import type { PoolView } from './postgres-pool.ts'

interface Adding {
  readonly job: JobJson
  readonly jobId: string
  readonly parentKeyOpts?: ParentKeyOpts
  readonly resolve: (id: string) => void
  readonly reject: (error: unknown) => void
}

type Backend = ConstructorParameters<typeof PostgresQueueBackend>
type Finished = { result: void | unknown[]; finishedOn: number }

const BATCH = 500
const POLL = 10
/** BullMQ's PostgreSQL still counts so, though its types do not say so. */
const PAUSED = 'paused' as JobType
/** To find what is beyond the number to be kept, PostgreSQL reads as many rows: of many, every so manieth completion looks. */
const MANY = 100
const SLACK = 0.1
/** BullMQ's own code for a lock that is not held. */
const LOCK_LOST = -6

/** What a worker's backend needs besides the connections that all share. */
export interface WorkerEnd {
  readonly signals: Signals
  /** For leases only, of at least two connections: their renewal can neither wait behind settlements nor hang with one. */
  readonly renewing: PoolView
}

/** A connection whose schema the store has seen to. A failure to get ready is not remembered. */
class PoolConnection extends PostgresConnection {
  readonly #end: WorkerEnd | undefined
  readonly #deafen: (() => void) | undefined
  #ready: Promise<unknown> | undefined

  constructor(pool: PoolView, end?: WorkerEnd) {
    super(pool)
    this.#end = end
    this.#deafen = end?.signals.onLost(() => this.emit('listenerinvalidated'))
  }

  override get hasListenClientKeepAlive(): boolean {
    return true
  }

  override async waitUntilReady(): Promise<void> {
    if (!this.#end) return
    this.#ready ??= this.#prepare(this.#end)
    await this.#ready
  }

  override async getListenClient(): Promise<Ear> {
    if (!this.#end) throw new Error('only workers listen')
    return this.#end.signals.ear()
  }

  override async close(): Promise<void> {
    this.#deafen?.()
    await super.close()
  }

  async #prepare({ signals, renewing }: WorkerEnd): Promise<void> {
    try {
      await Promise.all([signals.ear(), this.pool.query('SELECT 1'), renewing.query('SELECT 1')])
    } catch (error) {
      this.#ready = undefined
      throw error
    }
  }
}

/** BullMQ's own, mended where it does on PostgreSQL what it does not on Redis. */
export class PostgresBackend extends PostgresQueueBackend {
  readonly #workers: readonly [string, string]
  readonly #renewals: PostgresQueueBackend | undefined
  #adding: Adding[] = []
  #isAdding = false
  #completed = 0

  constructor(pool: PoolView, schema: string, queue: string, opts: Backend[2], worker?: WorkerEnd) {
    super(new PoolConnection(pool, worker), queue, opts)
    this.#workers = halvesOf(schema, queue)
    this.#renewals = worker && new PostgresQueueBackend(new PoolConnection(worker.renewing), queue, opts, false)
  }

  override async extendLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    return this.#renewals ? this.#renewals.extendLocks(jobIds, tokens, duration) : super.extendLocks(jobIds, tokens, duration)
  }

  /** Jobs that come while others are on their way are added together, in order: one connection, one transaction. */
  override async addJob(job: JobJson, jobId: string, parentKeyOpts?: ParentKeyOpts): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#adding.push({ job, jobId, ...(parentKeyOpts && { parentKeyOpts }), resolve, reject })
    if (!this.#isAdding) void this.#add()
    return promise
  }

  override async moveToCompleted<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    returnValue: R,
    removeOnComplete: boolean | number | KeepJobs,
    token: string,
    fetchNext: boolean,
  ): Promise<Finished> {
    // absent for jobs that were not added with one of their own
    const own = removeOnComplete as typeof removeOnComplete | undefined
    const keep = own ?? (this.opts as WorkerOptions).removeOnComplete ?? false
    return super.moveToCompleted(job, returnValue, this.#kept(keep), token, fetchNext)
  }

  override async moveToFailed<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    reason: string,
    removeOnFail: boolean | number | KeepJobs,
    token: string,
    fetchNext: boolean,
    fields?: Record<string, unknown>,
  ): Promise<Finished> {
    return super.moveToFailed(job, reason, wholeSeconds(removeOnFail), token, fetchNext, fields)
  }

  /** Without the next job, whose coming would hold up the word that this one is settled. */
  override async moveToDelayed(
    ...[id, at, delay, token, opts]: Parameters<PostgresQueueBackend['moveToDelayed']>
  ): Promise<void> {
    await super.moveToDelayed(id, at, delay, token, { ...opts, fetchNext: false })
  }

  /** BullMQ's own moves the job to the end, and says nothing if the lock is lost. */
  override async moveJobFromActiveToWait(jobId: string, token = '0'): Promise<number> {
    const { rows } = await this.connection.pool.query(RELEASE, [this.queueName, jobId, token])
    if (rows.length === 0)
      throw Object.assign(new Error(`Missing lock for job ${jobId}. moveJobFromActiveToWait`), { code: LOCK_LOST })
    return 0
  }

  /** Resolves once the claims that had begun before it are through. */
  override async pause(isPaused: boolean): Promise<void> {
    await super.pause(isPaused)
    if (!isPaused) return
    const claims = async (of: string[] | null): Promise<string[]> =>
      (await this.connection.pool.query<{ id: string }>(CLAIMS, [of])).rows.map(({ id }) => id)
    for (let open = await claims(null); open.length > 0; open = await claims(open)) await pause(POLL)
  }

  /** A paused queue's jobs are waiting ones. */
  override async getCounts(...[types, ...rest]: Parameters<PostgresQueueBackend['getCounts']>): Promise<number[]> {
    const counts = await super.getCounts([...types, PAUSED], ...rest)
    const paused = counts.pop() ?? 0
    return counts.map((count, i) => (types[i] === 'waiting' || types[i] === 'wait' ? count + paused : count))
  }

  /** Plain workers have a connection each, named after their queue; ours share one. */
  override async getClientList(): Promise<string[]> {
    const lists = await super.getClientList()
    const { rows } = await this.connection.pool.query<{ name: string }>(WORKERS, this.#workers)
    const ours = rows.map(({ name }) => `name=${this.queueName}:w:${name.replace(/^.*:w:/s, '')}`)
    return [[...lists, ...ours].join('\n')]
  }

  /** Of completed jobs more are kept for a while. */
  #kept(keep: boolean | number | KeepJobs): boolean | number | KeepJobs {
    const whole = wholeSeconds(keep)
    if (typeof whole !== 'object' || 'age' in whole || whole.count === undefined || whole.count < MANY) return whole
    return this.#completed++ % Math.floor(whole.count * SLACK) === 0 ? whole : { count: -1 }
  }

  async #add(): Promise<void> {
    this.#isAdding = true
    await Promise.resolve()
    while (this.#adding.length > 0) {
      const batch = this.#adding.splice(0, BATCH)
      if (batch.length > 1 && (await this.#addTogether(batch))) continue
      for (const one of batch) await super.addJob(one.job, one.jobId, one.parentKeyOpts).then(one.resolve, one.reject)
    }
    this.#isAdding = false
  }

  /** Answers whether that was the end of it: where one job is refused, each must be tried alone. */
  async #addTogether(batch: readonly Adding[]): Promise<boolean> {
    try {
      const ids = await super.addJobs([...batch])
      batch.forEach(({ resolve }, i) => resolve(ids[i]!))
      return true
    } catch (error) {
      if (!isPassing(error)) return false
      for (const { reject } of batch) reject(error)
      return true
    }
  }
}

/** PostgreSQL takes no other. */
export function wholeSeconds<T>(keep: T): T {
  if (typeof keep !== 'object' || keep === null || !('age' in keep) || typeof keep.age !== 'number') return keep
  return { ...keep, age: Math.ceil(keep.age) }
}
