import { differ, differences, show } from './difference.ts'
import type { JobState, Page, QueueAdmin, StoredJob } from '@jobport/core/driver'
import { isGiven, type ModelJob } from './model-job.ts'
import { span, type Moment } from './moment.ts'
import type { QueueModel } from './queue-model.ts'

const STATES: readonly JobState[] = ['waiting', 'delayed', 'active', 'dead']

/** Compares all that a queue shows with what it must show: counts, status, every job by its id, and all pages. At a quiet moment. */
export async function lookThrough(
  model: QueueModel,
  admin: QueueAdmin,
  ids: readonly string[],
  tolerance: number,
): Promise<void> {
  await Promise.all([
    checkCounts(model, admin),
    checkStatus(model, admin),
    ...ids.map((id) => checkJob(model, admin, id, tolerance)),
    ...STATES.filter((state) => state === 'dead' || model.features.inspect !== false).map((state) =>
      checkPages(model, admin, state, tolerance),
    ),
  ])
}

async function checkCounts(model: QueueModel, admin: QueueAdmin): Promise<void> {
  const counts = Object.fromEntries(STATES.map((state) => [state, model.in(state).length]))
  same(counts, await admin.counts(), `counts of ${model.name}`)
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
  const jobs = new Map(model.listed(state).map((job) => [job.message.uid, job]))
  let order: readonly string[] | undefined
  for (const limit of new Set([jobs.size, 1, 2, jobs.size - 1].filter((size) => size > 0))) {
    const what = `list(${show(state)}) by ${limit}`
    const seen = await pagesOf(admin, state, limit, jobs.size, what)
    const uids = seen.map(({ message }) => message.uid)
    same([...jobs.keys()].toSorted(), uids.toSorted(), `${what}, uids`)
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
  same(viewOf(job), rest, what)
  checkTime(due, dueAt, `${what}.dueAt`, tolerance)
  checkTime(death?.at, dead?.at, `${what}.dead.at`, tolerance)
  if (death) same({ reason: death.reason, error: death.error }, { reason: dead!.reason, error: dead!.error }, `${what}.dead`)
}

function viewOf({ message, state, attempt, crashes }: ModelJob): Omit<StoredJob, 'dueAt' | 'dead'> {
  return { message, state, attempt, crashes }
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
