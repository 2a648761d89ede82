import { DeadLetters } from './dead-letters.ts'
import { draftOf, type Draft } from './draft.ts'
import { JobportError } from './errors.ts'
import { checkId, checkQueueName } from './names.ts'
import { checkDeadline, checkDefaults, checkRecord, type AddOptions, type JobOptions } from './options.ts'
import { isPlain } from './plain.ts'
import { checkFeatures } from './publish.ts'
import { viewOf, type JobPage, type JobView } from './job-view.ts'
import { checkPage, type PageOptions } from './page.ts'
import { Outbox } from './outbox.ts'
import { JobDefinition } from './define-job.ts'
import { Connection } from './connection.ts'
import type { Features, JobState, QueueAdmin, Scope, StoredJob } from './driver.ts'
import type { Receipt } from './receipt.ts'

export interface QueueOptions {
  /** Used where `add` is not told otherwise. They travel with each job. */
  readonly defaults?: JobOptions
  /** Longest wait for the broker's confirmation, ms. Default: the broker's. */
  readonly deadline?: number
}

/** A job for `addMany`. Each name brings its own payload. */
export type NewJob<Jobs extends object = Record<string, unknown>> = {
  [Name in keyof Jobs & string]: { readonly name: Name; readonly data: Jobs[Name]; readonly options?: AddOptions }
}[keyof Jobs & string]

type Counts = { -readonly [State in JobState]: number }

/** The producing and tending side of a named queue. `Jobs` maps job names to payloads. */
export class Queue<Jobs extends object = Record<string, unknown>> {
  readonly name: string
  readonly deadLetters: DeadLetters
  readonly #connection: Connection
  readonly #defaults: JobOptions | undefined
  readonly #deadline: number
  readonly #outbox: Outbox

  /** Made by `broker.queue`. */
  constructor(name: string, connection: Connection, brokerDeadline: number, options: QueueOptions = {}) {
    checkQueueName(name)
    if (!(connection instanceof Connection)) throw new JobportError('INVALID_ARGUMENT', MADE_BY_BROKER)
    checkRecord(options, '', { defaults: checkDefaults, deadline: checkDeadline })
    const { defaults, deadline = brokerDeadline } = options
    this.name = name
    this.#connection = connection
    this.#defaults = defaults && structuredClone(defaults)
    this.#deadline = deadline
    this.#outbox = new Outbox(connection, name)
    this.deadLetters = new DeadLetters(name, connection)
  }

  /**
   * Resolves once the broker has stored the job durably. While the broker cannot be reached it waits, until the deadline; beyond
   * 10,000 waiting adds a further one rejects with `UNAVAILABLE` at once. `added: false`: a live job, or a dedup window, holds the id.
   * Rejects with `UNCONFIRMED` if it may or may not have been stored: adding again with the same given id is safe.
   */
  add<Name extends keyof Jobs & string>(name: Name, data: Jobs[Name], options?: AddOptions): Promise<Receipt>
  add<In, Out>(job: JobDefinition<In, Out>, data: In, options?: AddOptions): Promise<Receipt>
  add(job: string | JobDefinition, data: unknown, options?: AddOptions): Promise<Receipt> {
    try {
      const draft = draftOf(this.name, job, data, this.#defaults, options)
      const deadline = options?.deadline ?? this.#deadline
      if (job instanceof JobDefinition) return job.validate(data).then(() => this.#add(draft, deadline))
      return this.#add(draft, deadline)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #add(draft: Draft, deadline: number): Promise<Receipt> {
    const driver = this.#connection.made
    if (!driver) return this.#addLater(draft, deadline)
    checkFeatures(driver, draft.message)
    return this.#outbox.add(draft, deadline)
  }

  /** The adapter is imported first: what it lacks is refused before any I/O. */
  async #addLater(draft: Draft, deadline: number): Promise<Receipt> {
    const driver = await this.#connection.driver()
    checkFeatures(driver, draft.message)
    return this.#outbox.add(draft, deadline)
  }

  /** Not atomic. One receipt per job, in order, or `PARTLY_ADDED` with the receipts and the failures by index. */
  async addMany(jobs: readonly NewJob<Jobs>[], options: { readonly deadline?: number } = {}): Promise<Receipt[]> {
    checkRecord(options, '', { deadline: checkDeadline })
    const list: unknown = jobs
    if (!Array.isArray(list)) throw new JobportError('INVALID_ARGUMENT', 'addMany takes a list of { name, data, options? }')
    const drafts = jobs.map((job, index) => this.#draftAt(index, job))
    const driver = this.#connection.made ?? (await this.#connection.driver())
    for (const { message } of drafts) checkFeatures(driver, message)
    if (drafts.length === 0) return []
    const outcomes = await this.#outbox.addMany(drafts, options.deadline ?? this.#deadline)
    const refused = outcomes.find((outcome) => outcome instanceof JobportError && outcome.code === 'PAYLOAD_TOO_LARGE')
    if (refused) throw refused as JobportError
    const failures = new Map<number, JobportError>()
    const receipts = outcomes.map((outcome, index) => {
      if (!(outcome instanceof JobportError)) return outcome
      failures.set(index, outcome)
      return undefined
    })
    if (failures.size === 0) return receipts as Receipt[]
    const [first] = failures.values()
    throw new JobportError('PARTLY_ADDED', `${failures.size} of ${jobs.length} jobs were not added: ${first!.message}`, {
      receipts,
      failures,
    })
  }

  /** The live job that holds the id, or its newest dead letter. `features.inspect: 'given'` knows no id that core made. */
  async get<Name extends keyof Jobs & string>(id: string): Promise<JobView<Jobs[Name]> | undefined> {
    checkId(id)
    await this.#connection.need('inspect')
    const end = this.#connection.end()
    const get = (scope: Scope): Promise<StoredJob | undefined> =>
      this.#connection.admin(this.name, 'get', (admin) => admin.get(id, scope), end)
    const job = (await get('live')) ?? (await get('dead'))
    return job && viewOf(this.name, job)
  }

  /** A page of jobs in one state, in a stable order. Jobs that move while you page may be missed or seen twice. */
  async list(state: JobState, options: PageOptions = {}): Promise<JobPage> {
    if (state === 'dead') return this.deadLetters.list(options)
    if (!LIVE.has(state)) throw new JobportError('INVALID_ARGUMENT', `state must be waiting, delayed, active or dead`)
    const page = checkPage(options)
    const { jobs, ...rest } = await this.#admin('inspect', 'list', (admin) => admin.list(state, page))
    return { ...rest, jobs: jobs.map((job) => viewOf(this.name, job)) }
  }

  /** `true`: it was waiting or delayed and will never run. `false`: it is active, already settled, or unknown. */
  async remove(id: string): Promise<boolean> {
    checkId(id)
    return this.#admin('cancel', 'remove', (admin) => admin.remove(id, 'live'))
  }

  /** Removes all waiting and delayed jobs, nothing else. Returns how many. */
  async purge(): Promise<number> {
    return this.#admin('cancel', 'purge', (admin) => admin.purge('live'))
  }

  /** Exact when nothing moves. An overdue job counts as waiting, whether or not a worker has looked for it. */
  async counts(): Promise<Counts> {
    return this.#connection.admin(this.name, 'counts', (admin) => admin.counts())
  }

  /** For all processes, restarts included. Once it resolved nothing starts anywhere; running jobs finish, retries wait. */
  async pause(): Promise<void> {
    await this.#admin('pause', 'pause', (admin) => admin.pause())
  }

  async resume(): Promise<void> {
    await this.#admin('pause', 'resume', (admin) => admin.resume())
  }

  async isPaused(): Promise<boolean> {
    const { paused } = await this.#admin('pause', 'isPaused', (admin) => admin.status())
    return paused
  }

  /** Removes the queue, all its jobs and its dead letters from the broker. */
  async drop(): Promise<void> {
    await this.#connection.admin(this.name, 'drop', (admin) => admin.drop())
  }

  async #admin<T>(feature: keyof Features, what: string, call: (admin: QueueAdmin) => Promise<T>): Promise<T> {
    await this.#connection.need(feature)
    return this.#connection.admin(this.name, what, call)
  }

  #draftAt(index: number, job: NewJob): Draft {
    try {
      if (!isPlain(job)) throw new JobportError('INVALID_ARGUMENT', 'must be { name, data, options? }')
      checkRecord(job, '', NEW_JOB_RULES)
      return draftOf(this.name, job.name, job.data, this.#defaults, job.options)
    } catch (error) {
      const { code, message } = error as JobportError
      throw new JobportError(code, `job ${index}: ${message}`)
    }
  }
}

const MADE_BY_BROKER = "a queue is made by its broker: (await connect('redis://…')).queue(name); 'connection' belongs to connect"

/** The keys of a {@link NewJob}; what they hold is checked as `add` checks it. */
const NEW_JOB_RULES = { name: () => {}, data: () => {}, options: () => {} }

const LIVE: ReadonlySet<string> = new Set(['waiting', 'delayed', 'active'])
