import {
  PostgresConnection,
  PostgresQueueBackend,
  type JobJson,
  type JobType,
  type KeepJobs,
  type MinimalJob,
  type ParentKeyOpts,
  type PgPool,
  type WorkerOptions,
} from 'bullmq'
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { isPassing } from './faults.ts'
import { warm } from './postgres-pool.ts'
import { CLAIMS, CLEAN, CLEAN_LEFT, RELEASE } from './postgres-sql.ts'
import type { Pool } from 'pg'

interface Adding {
  readonly job: JobJson
  readonly jobId: string
  readonly parentKeyOpts?: ParentKeyOpts
  readonly resolve: (id: string) => void
  readonly reject: (error: unknown) => void
}

type Backend = ConstructorParameters<typeof PostgresQueueBackend>
type Finished = { result: void | unknown[]; finishedOn: number }

/** PostgreSQL cuts names of connections at so many bytes. */
const LONGEST_NAME = 63
const BATCH = 500
const POLL = 10
/** BullMQ's PostgreSQL still counts so, though its types do not say so. */
const PAUSED = 'paused' as JobType
/** To find what is beyond the number to be kept, PostgreSQL reads as many rows: of many, every so manieth completion looks. */
const MANY = 100
const SLACK = 0.1
/** BullMQ's own code for a lock that is not held. */
const LOCK_LOST = -6

/** A connection whose schema the store has seen to. A failure to get ready is not remembered. */
class PoolConnection extends PostgresConnection {
  readonly #prepare: () => Promise<unknown>
  #ready: Promise<void> | undefined

  constructor(pool: Pool, prepare: () => Promise<unknown>) {
    super(pool as PgPool)
    this.#prepare = prepare
  }

  override async waitUntilReady(): Promise<void> {
    this.#ready ??= this.#ping()
    return this.#ready
  }

  async #ping(): Promise<void> {
    try {
      await this.#prepare()
    } catch (error) {
      this.#ready = undefined
      throw error
    }
  }
}

/** What a worker's connections are needed for, besides fetching and settling. */
export interface WorkerEnd {
  /** By which processes are counted. */
  readonly name: string
  /** For leases only, of at least two connections: their renewal can neither wait behind settlements nor hang with one. */
  readonly renewing: Pool
}

/** BullMQ's own, mended where it does on PostgreSQL what it does not on Redis. */
export class PostgresBackend extends PostgresQueueBackend {
  readonly #alias: string
  readonly #renewals: PostgresQueueBackend | undefined
  #adding: Adding[] = []
  #isAdding = false
  #completed = 0

  constructor(pool: Pool, schema: string, queue: string, opts: Backend[2], worker?: WorkerEnd) {
    const alias = aliasOf(schema, queue, worker?.name)
    super(
      new PoolConnection(pool, async () => worker && Promise.all([warm(pool), warm(worker.renewing)])),
      queue,
      opts,
      true,
      worker && `${alias}:w:${worker.name}`,
    )
    this.#alias = aliasOf(schema, queue)
    this.#renewals = worker && new PostgresQueueBackend(new PoolConnection(worker.renewing, async () => {}), queue, opts, false)
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

  /** BullMQ's own answers with what it chose, though others may have taken some of it meanwhile. */
  override async cleanJobsByState(state: string, timestamp: number, limit: number = BATCH): Promise<string[]> {
    if (state !== 'failed') return super.cleanJobsByState(state, timestamp, limit)
    const { rows } = await this.connection.pool.query<{ id: string }>(CLEAN, [this.queueName, timestamp, limit])
    const ids = rows.map(({ id }) => id)
    const { rows: left } =
      ids.length < limit ? await this.connection.pool.query(CLEAN_LEFT, [this.queueName, timestamp]) : { rows: [] }
    return left.length === 0 ? ids : [...ids, ...(await super.cleanJobsByState(state, timestamp, limit - ids.length))]
  }

  override async getClientList(): Promise<string[]> {
    const lists = await super.getClientList()
    return lists.map((list) => list.replaceAll(`name=${this.#alias}:w:`, `name=${this.queueName}:w:`))
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

/** BullMQ's own name for a queue's workers where it fits and means this schema only. */
function aliasOf(schema: string, queue: string, worker = ''): string {
  const isShort = Buffer.byteLength(`${queue}:w:${worker}`) <= LONGEST_NAME
  return schema === 'bullmq' && isShort ? queue : createHash('sha256').update(`${schema}\n${queue}`).digest('hex').slice(0, 16)
}

/** PostgreSQL takes no other. */
export function wholeSeconds<T>(keep: T): T {
  if (typeof keep !== 'object' || keep === null || !('age' in keep) || typeof keep.age !== 'number') return keep
  return { ...keep, age: Math.ceil(keep.age) }
}
