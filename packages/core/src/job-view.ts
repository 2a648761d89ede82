import type { DeadReason, JobState, StoredJob } from './driver.ts'
import type { JobError } from './job-error.ts'

/** A job at rest, as `get` and `list` show it: a picture, not a handle. */
export interface JobView<Data = unknown> {
  readonly id: string
  readonly uid: string
  readonly name: string
  readonly queue: string
  readonly data: Data
  readonly headers: Readonly<Record<string, string>>
  readonly state: JobState
  /** The run it is in, or that comes next; of a dead one, the last. */
  readonly attempt: number
  readonly attempts: number
  readonly crashes: number
  readonly priority: number
  readonly addedAt: Date
  /** Of a delayed job. */
  readonly dueAt?: Date
  /** Of a dead one, as are the following. */
  readonly reason?: DeadReason
  readonly error?: JobError
  readonly diedAt?: Date
}

export interface JobPage<Data = unknown> {
  readonly jobs: readonly JobView<Data>[]
  /** Give it to the next call; absent on the last page. */
  readonly cursor?: string
}

export function viewOf<Data>(queue: string, { message, state, attempt, crashes, dueAt, dead }: StoredJob): JobView<Data> {
  const { id, uid, name, data, headers, attempts, priority = 0, addedAt } = message
  return {
    id,
    uid,
    name,
    queue,
    data: data as Data,
    headers,
    state,
    attempt,
    attempts,
    crashes,
    priority,
    addedAt: new Date(addedAt),
    ...(dueAt !== undefined && { dueAt: new Date(dueAt) }),
    ...(dead && { reason: dead.reason, error: dead.error, diedAt: new Date(dead.at) }),
  }
}
