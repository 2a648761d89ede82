import { newUid } from './uid.ts'
import { JobportError } from './errors.ts'
import { viewOf, type JobPage, type JobView } from './job-view.ts'
import { checkId } from './names.ts'
import { checkRecord, whole } from './options.ts'
import { checkPage, type PageOptions } from './page.ts'
import type { Connection } from './connection.ts'
import type { StoredJob } from './driver.ts'
import type { Receipt } from './receipt.ts'

const PAGE = 100

/** The dead jobs of a queue. Several may share an id: `get`, `redrive` and `remove` mean the newest. */
export class DeadLetters {
  readonly #queue: string
  readonly #connection: Connection

  constructor(queue: string, connection: Connection) {
    this.#queue = queue
    this.#connection = connection
  }

  /** Newest first. */
  async list(options: PageOptions = {}): Promise<JobPage> {
    const page = checkPage(options)
    const { jobs, ...rest } = await this.#connection.admin(this.#queue, 'deadLetters.list', (admin) => admin.list('dead', page))
    return { ...rest, jobs: jobs.map((job) => viewOf(this.#queue, job)) }
  }

  async get(id: string): Promise<JobView | undefined> {
    const job = await this.#newest(id, this.#connection.end())
    return job && viewOf(this.#queue, job)
  }

  /**
   * Makes the job live again: same id, new uid, attempts and crashes from the start (or with other `attempts`).
   * Throws `NOT_FOUND`, or `DUPLICATE` if the id is live.
   */
  async redrive(id: string, options: { readonly attempts?: number } = {}): Promise<Receipt> {
    checkRecord(options, '', { attempts: whole(1, 1_000_000) })
    const end = this.#connection.end()
    const dead = await this.#newest(id, end)
    const uid = newUid()
    const answer = dead ? await this.#redrive(dead.message.uid, { uid, ...options }, end) : 'missing'
    if (answer === 'missing') throw new JobportError('NOT_FOUND', `no dead letter of id '${id}' in ${this.#queue}`, { id })
    if (answer === 'duplicate') throw new JobportError('DUPLICATE', `id '${id}' is live in ${this.#queue}`, { id })
    return { id, uid, added: true }
  }

  /** Redrives what is dead now, the oldest first. `skipped`: their ids are live. Keeps the uids of all letters in memory. */
  async redriveAll(): Promise<{ redriven: number; skipped: number }> {
    const uids: string[] = []
    for await (const jobs of this.#pages()) {
      for (const { uid } of jobs) uids.push(uid)
    }
    const total = { redriven: 0, skipped: 0 }
    // one after the other: that is the order in which they arrive
    for (const uid of uids.toReversed()) {
      const answer = await this.#redrive(uid, { uid: newUid() })
      if (answer === 'redriven') total.redriven++
      if (answer === 'duplicate') total.skipped++
    }
    return total
  }

  /** `true` if there was one. */
  async remove(id: string): Promise<boolean> {
    const end = this.#connection.end()
    const dead = await this.#newest(id, end)
    if (!dead) return false
    return this.#connection.admin(this.#queue, 'deadLetters.remove', (admin) => admin.remove(dead.message.uid, 'dead'), end)
  }

  /** Removes them all. Returns how many. */
  async purge(): Promise<number> {
    return this.#connection.admin(this.#queue, 'deadLetters.purge', (admin) => admin.purge('dead'))
  }

  async *#pages(): AsyncGenerator<readonly JobView[]> {
    let cursor: string | undefined
    do {
      const page: JobPage = await this.list({ limit: PAGE, cursor })
      yield page.jobs
      cursor = page.cursor
    } while (cursor !== undefined)
  }

  async #newest(id: string, end: number): Promise<StoredJob | undefined> {
    checkId(id)
    return this.#connection.admin(this.#queue, 'deadLetters.get', (admin) => admin.get(id, 'dead'), end)
  }

  #redrive(uid: string, as: { uid: string; attempts?: number }, end?: number): Promise<'redriven' | 'duplicate' | 'missing'> {
    return this.#connection.admin(this.#queue, 'deadLetters.redrive', (admin) => admin.redrive(uid, as), end)
  }
}
