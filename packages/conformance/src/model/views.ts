import { differ, differences, show } from './difference.ts'
import type { JobState, Page, QueueAdmin, StoredJob } from '@jobport/core/driver'
import { isGiven, type ModelJob } from './model-job.ts'
import { span, type Moment } from './moment.ts'
import type { QueueModel } from './queue-model.ts'

const STATES: readonly JobState[] = ['waiting', 'delayed', 'active', 'dead']

/** Every eighth look compares what has not changed as well. */
const ALL = 8

/** What was found right of a queue, so that what has not changed since need not be asked for each time. */
export class Views {
  readonly #model: QueueModel
  readonly #tolerance: number
  #looks = 0
  /** The queue as a whole, whether it is paused and worked, its jobs by id, and its states, as they were last found right. */
  #seen = ''
  #status = ''
  #jobs: ReadonlyMap<string, string> = new Map()
  #states: ReadonlyMap<string, string> = new Map()

  constructor(model: QueueModel, tolerance: number) {
    this.#model = model
    this.#tolerance = tolerance
  }

  /** Whether the queue must look otherwise than it was found. */
  get isStale(): boolean {
    return this.#seen !== this.#sight()
  }

  /** Compares the counts. At a quiet moment, as the others. */
  async glance(admin: QueueAdmin): Promise<void> {
    await checkCounts(this.#model, admin)
  }

  /** Compares what has changed: the counts, the status, jobs by their ids, those that are gone among them, and all pages. With `ids`, or every few looks, all of them. */
  async look(admin: QueueAdmin, ids?: readonly string[]): Promise<void> {
    const model = this.#model
    const isAll = ids !== undefined || this.#looks++ % ALL === 0
    const sight = this.#sight()
    const status = `${model.paused} ${model.workers.size}`
    const jobs = byKey([...model.live.values(), ...model.letters], ({ message: { id } }) => id)
    const states = byKey([...model.live.values(), ...model.letters], ({ state }) => state)
    const known = new Set([...this.#jobs.keys(), ...jobs.keys(), ...(ids ?? [])])
    await Promise.all([
      this.glance(admin),
      ...(isAll || this.#status !== status ? [checkStatus(model, admin)] : []),
      inTurn(
        [...known].filter((id) => isAll || jobs.get(id) !== this.#jobs.get(id)),
        (id) => checkJob(model, admin, id, this.#tolerance),
      ),
      inTurn(
        STATES.filter((state) => isAll || states.get(state) !== this.#states.get(state)).filter(
          (state) => state === 'dead' || model.features.inspect !== false,
        ),
        (state) => checkPages(model, admin, state, this.#tolerance),
      ),
    ])
    this.#seen = sight
    this.#status = status
    this.#jobs = jobs
    this.#states = states
  }

  #sight(): string {
    const { live, letters, paused, workers } = this.#model
    return JSON.stringify([[...live.values(), ...letters].map(sightOf), paused, workers.size])
  }
}

/** What tells one state of a job from another. */
function sightOf({ message: { uid }, state, crashes, order }: ModelJob): readonly unknown[] {
  return [uid, state, crashes, order]
}

/** The sights of the jobs with the same key. */
function byKey(jobs: readonly ModelJob[], keyOf: (job: ModelJob) => string): ReadonlyMap<string, string> {
  const groups = Map.groupBy(jobs, keyOf)
  return new Map([...groups].map(([key, group]) => [key, JSON.stringify(group.map(sightOf))]))
}

/** Few calls at once: a driver may open a connection for each. */
async function inTurn<T>(all: Iterable<T>, check: (each: T) => Promise<void>): Promise<void> {
  for (const each of all) await check(each)
}

async function checkCounts(model: QueueModel, admin: QueueAdmin): Promise<void> {
  const seen = await admin.counts()
  const counts = Object.fromEntries(STATES.map((state) => [state, model.in(state).length]))
  const found = Math.max(0, Math.min(seen.waiting - counts['waiting']!, model.lost.length))
  const expected = { ...counts, waiting: counts['waiting']! + found, active: counts['active']! - found }
  if (differences(expected, seen).length === 0) return
  const live = [...model.live.values()].map(({ message: { id }, state }) => `${id} ${state}`)
  const later = show(await admin.counts())
  same(expected, seen, `counts of ${model.name} (live: ${live.join(', ') || 'none'}; asked again: ${later})`)
}

async function checkStatus({ name, paused, workers }: QueueModel, admin: QueueAdmin): Promise<void> {
  same({ paused, workers: Math.min(workers.size, 1) }, await admin.status(), `status of ${name}`)
}

async function checkJob(model: QueueModel, admin: QueueAdmin, id: string, tolerance: number): Promise<void> {
  const letter = model.letter(id)
  checkView(letter, await admin.get(id, 'dead'), `get(${show(id)}, 'dead')`, tolerance)
  const job = model.live.get(id)
  const { inspect } = model.features
  if (inspect === false || (inspect === 'given' && job && !isGiven(job))) return
  checkView(job, await admin.get(id, 'live'), `get(${show(id)}, 'live')`, tolerance)
}

/** Whatever the size of the pages, they show the same jobs in the same order. */
async function checkPages(model: QueueModel, admin: QueueAdmin, state: JobState, tolerance: number): Promise<void> {
  const all = [...model.listed(state), ...(state === 'waiting' ? model.lost : [])]
  const jobs = new Map(all.map((job) => [job.message.uid, job]))
  let order: readonly string[] | undefined
  for (const limit of new Set([jobs.size, 1, 2, jobs.size - 1].filter((size) => size > 0))) {
    const what = `list(${show(state)}) by ${limit}`
    const seen = await pagesOf(admin, state, limit, jobs.size, what)
    const lost = new Set(model.lost.map(({ message }) => message.uid))
    const uids = seen.map(({ message }) => message.uid).filter((uid) => !lost.has(uid))
    same([...jobs.keys()].filter((uid) => !lost.has(uid)).toSorted(), uids.toSorted(), `${what}, uids`)
    for (const view of seen) checkView(jobs.get(view.message.uid), view, `${what}, ${view.message.id}`, tolerance)
    if (state === 'dead')
      checkDeaths(
        seen.map(({ message }) => jobs.get(message.uid)!),
        what,
      )
    same(order ?? uids, uids, `${what}, order`)
    order = uids
  }
}

async function pagesOf(admin: QueueAdmin, state: JobState, limit: number, count: number, what: string): Promise<StoredJob[]> {
  const seen: StoredJob[] = []
  let page: Page | undefined
  for (let pages = 0; pages === 0 || page?.cursor !== undefined; pages++) {
    if (pages > 2 * count + 2) differ(`${what} has no end: ${pages} pages for ${count} jobs`)
    page = await admin.list(state, { limit, ...(page?.cursor !== undefined && { cursor: page.cursor }) })
    if (page.jobs.length > limit) differ(`${what} shows ${page.jobs.length} jobs on a page`)
    seen.push(...page.jobs)
  }
  return seen
}

/** Newest first. */
function checkDeaths(letters: readonly ModelJob[], what: string): void {
  const ticks = letters.map(({ death }) => death!.tick)
  same(
    ticks.toSorted((a, b) => b - a),
    ticks,
    `${what}, when they died`,
  )
}

function checkView(job: ModelJob | undefined, seen: StoredJob | undefined, what: string, tolerance: number): void {
  if (!job || !seen) return same(job && viewOf(job), seen, what)
  const { dueAt, dead, ...rest } = seen
  const { due, death } = job
  same(viewOf(job, seen), rest, what)
  checkTime(due, dueAt, `${what}.dueAt`, tolerance)
  checkTime(death?.at, dead?.at, `${what}.dead.at`, tolerance)
  if (death) same({ reason: death.reason, error: death.error }, { reason: dead!.reason, error: dead!.error }, `${what}.dead`)
}

/** Of a job that runs, a broker may show fewer crashes than its worker was told: those before its last settlement. */
function viewOf({ message, state, attempt, crashes, lost }: ModelJob, seen?: StoredJob): Omit<StoredJob, 'dueAt' | 'dead'> {
  if (lost && seen?.state === 'waiting')
    return { message, state: 'waiting', attempt, crashes: Math.min(crashes + 1, Math.max(crashes, seen.crashes)) }
  return { message, state, attempt, crashes: state === 'active' && seen ? Math.min(crashes, seen.crashes) : crashes }
}

function checkTime(expected: Moment | undefined, seen: number | undefined, what: string, tolerance: number): void {
  if (!expected) return same(undefined, seen, what)
  const isRight = seen !== undefined && seen >= expected.from - tolerance && seen <= expected.to + tolerance
  if (!isRight) differ(`${what} is ${show(seen)}, not ${span(expected)}`)
}

function same(expected: unknown, seen: unknown, what: string): void {
  const found = differences(expected, seen)
  if (found.length > 0) differ(`${what}: ${found.join('; ')}`)
}
