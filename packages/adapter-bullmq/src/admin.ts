import {
  toJobError,
  type JobState,
  type JobError,
  type Page,
  type QueueAdmin,
  type QueueStatus,
  type Scope,
  type StoredJob,
} from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { toJobportError } from './faults.ts'
import { fromJob, invalidReading, type Reading } from './mapping.ts'
import type { Ledger, Look } from './ledger.ts'
import type { Note } from './note.ts'
import type { NativeJob } from './lease-worker.ts'
import type { NativeQueue, Store } from './store.ts'

/** Time for BullMQ's listeners to hear which jobs a queue that is dropped took with it, ms. */
const HEARING = 250

/** A job as BullMQ shows it, or what is left of one that it cannot read. */
interface Found {
  readonly job: Partial<Pick<NativeJob, 'stacktrace' | 'failedReason' | 'finishedOn'>>
  readonly reading: Reading
}

/** Looks at a queue through BullMQ, and through the ledger where BullMQ has no call. */
export class BullMQAdmin implements QueueAdmin {
  readonly #name: string
  readonly #store: Store

  constructor(name: string, store: Store) {
    this.#name = name
    this.#store = store
  }

  async counts(): Promise<Record<JobState, number>> {
    return this.#do(() => this.#ledger.counts())
  }

  async status(): Promise<QueueStatus> {
    return this.#do(async () => {
      const [paused, workers] = await Promise.all([this.#queue.isPaused(), this.#queue.getWorkers()])
      const named = workers.map(({ rawname = '', id = '' }) => /:w:(.+)$/.exec(rawname)?.[1] ?? id)
      return { paused, workers: new Set(named).size }
    })
  }

  async get(id: string, scope: Scope): Promise<StoredJob | undefined> {
    return this.#do(async () => {
      const uid = await (scope === 'live' ? this.#ledger.live(id) : this.#ledger.dead(id))
      const [job] = uid === undefined ? [] : await this.#read([uid])
      return job && (job.state === 'dead') === (scope === 'dead') ? job : undefined
    })
  }

  async list(state: JobState, { limit, cursor }: { limit: number; cursor?: string }): Promise<Page> {
    return this.#do(async () => {
      const page = await this.#ledger.page(state, limit, cursor)
      const jobs = await this.#read(page.uids)
      return { jobs: jobs.filter((job) => job.state === state), ...(page.cursor !== undefined && { cursor: page.cursor }) }
    })
  }

  async remove(key: string, scope: Scope): Promise<boolean> {
    return this.#do(async () => {
      const removed = await (scope === 'live' ? this.#ledger.remove(key) : this.#ledger.bury(key))
      return typeof removed === 'boolean' ? removed : this.#removeNatively(removed.native)
    })
  }

  async purge(scope: Scope): Promise<number> {
    return this.#do(() => (scope === 'live' ? this.#purgeLive() : this.#purgeDead()))
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing'> {
    return this.#do(async () => {
      const answer = await this.#ledger.redrive(uid, as)
      if (answer !== 'native') return answer
      const job = await this.#queue.getJob(uid)
      await job?.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
      return job ? 'redriven' : 'missing'
    })
  }

  async pause(): Promise<void> {
    await this.#do(() => this.#queue.pause())
  }

  async resume(): Promise<void> {
    await this.#do(() => this.#queue.resume())
  }

  async drop(): Promise<void> {
    await this.#do(async () => {
      const told = (await this.#ledger.purge('live')).removed + (await this.#ledger.purge('dead')).removed
      // the events go with the queue
      if (told > 0) await pause(HEARING)
      await this.#queue.obliterate({ force: true })
      await this.#ledger.sweep()
    })
  }

  /** What belongs to flows and schedulers is left to BullMQ, which knows what hangs on it, but does not count. */
  async #purgeLive(): Promise<number> {
    const { removed, left } = await this.#ledger.purge('live')
    if (left === 0) return removed
    const before = await this.counts()
    await this.#queue.drain(true)
    const after = await this.counts()
    return removed + Math.max(0, Math.min(left, before.waiting + before.delayed - after.waiting - after.delayed))
  }

  async #purgeDead(): Promise<number> {
    const { removed, left } = await this.#ledger.purge('dead')
    if (left === 0) return removed
    // workers whose clocks are ahead date deaths into the future
    const cleaned = await this.#queue.clean(-86_400_000, 0, 'failed')
    return removed + cleaned.length
  }

  /** BullMQ refuses what is active. */
  async #removeNatively(uid: string): Promise<boolean> {
    const job = await this.#queue.getJob(uid)
    return (
      job?.remove().then(
        () => true,
        () => false,
      ) ?? false
    )
  }

  /** Jobs that have gone meanwhile are left out. */
  async #read(uids: readonly string[]): Promise<StoredJob[]> {
    const [looks, jobs] = await Promise.all([this.#ledger.look(uids), Promise.all(uids.map((uid) => this.#readOne(uid)))])
    return jobs.flatMap((job, i) => (job ? (toStored(job, looks[i]!) ?? []) : []))
  }

  async #readOne(uid: string): Promise<Found | undefined> {
    try {
      const job = await this.#queue.getJob(uid)
      return job && { job, reading: fromJob(job) }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      const raw = await this.#ledger.raw(uid)
      return raw && { job: raw, reading: invalidReading(raw, error.message) }
    }
  }

  async #do<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw toJobportError(error, this.#name)
    }
  }

  get #queue(): NativeQueue {
    return this.#store.queue(this.#name)
  }

  get #ledger(): Ledger {
    return this.#store.ledger(this.#name)
  }
}

function toStored({ job, reading: { message } }: Found, look: Look): StoredJob | undefined {
  const { state, note, made, stalls, dueAt } = look
  if (state === undefined || state === 'completed' || state === 'other') return undefined
  return {
    message,
    state,
    attempt: state === 'dead' ? Math.max(1, made) : made + 1,
    crashes: state === 'dead' ? stalls : Math.max(0, stalls - (note.base ?? 0)),
    ...(dueAt !== undefined && { dueAt }),
    ...(state === 'dead' && {
      dead: { reason: note.reason ?? 'attempts', error: errorOf(job, note), at: job.finishedOn ?? 0 },
    }),
  }
}

const EMPTY = { none: undefined, empty: '' } as const

/** BullMQ keeps the message and the stacks; the name is ours, or stands at the head of the stack. */
function errorOf({ stacktrace, failedReason }: Found['job'], { error, stack: lacking }: Note): JobError {
  const last = stacktrace?.at(-1)
  const name = error ?? /^(\w*Error)\b/.exec(last ?? '')?.[1] ?? 'Error'
  const stack = lacking ? EMPTY[lacking] : last || undefined
  return toJobError({ name, message: failedReason ?? '', ...(stack !== undefined && { stack }) })
}
