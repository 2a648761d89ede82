import {
  JobportError,
  readMessage,
  toJobError,
  unreadable,
  type Backoff,
  type JobError,
  type Message,
} from '@jobport/core/driver'
import type { Job, JobJson, JobsOptions } from 'bullmq'
import type { Raw } from './ledger.ts'

/**
 * What of a {@link Message} BullMQ has no option for. It keeps keys that it does not know, so `data` stays the user's. Absent
 * where there is nothing to say: every key costs at both ends, with each script that touches the job.
 */
interface Extras {
  readonly version: number
  /** If it is not BullMQ's `timestamp`. */
  readonly addedAt?: number
  readonly timeout?: number
  readonly dedup?: { readonly ttl: number }
}

type Growing = { -readonly [Field in keyof Extras]: Extras[Field] } & Record<string, unknown>

/** A job's options as we write them. */
type NativeOptions = Omit<JobsOptions, 'backoff'> & {
  backoff?: Backoff
  headers?: Readonly<Record<string, string>>
  jobport?: Extras
}

/** Read from a job; `invalid` if it is no message. */
export interface Reading {
  readonly message: Message
  readonly invalid?: JobError
}

/** The envelope version of jobs that do not say theirs. For good: those of later versions say it. */
const UNSAID = 1

const NEW = { progress: 0, attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0, failedReason: '', returnvalue: 'null' }

/** What is written by name; fields that we do not know travel along. */
const PLACED: ReadonlySet<string> = new Set([
  'version',
  'id',
  'uid',
  'name',
  'data',
  'headers',
  'addedAt',
  'attempts',
  'backoff',
  'delay',
  'priority',
  'dedup',
] satisfies (keyof Message)[])

/** A message as a job that BullMQ's backends store. Its delay counts from its timestamp. */
export function toJson(message: Message, now: number): JobJson {
  const { version, id, uid, name, data, headers, addedAt, attempts, backoff, delay = 0, priority, dedup } = message
  const timestamp = delay > 0 ? now : addedAt
  const extras: Growing = { version }
  for (const field of Object.keys(message)) if (!PLACED.has(field)) extras[field] = message[field as keyof Message]
  if (timestamp !== addedAt) extras.addedAt = addedAt
  if (dedup) extras.dedup = dedup
  const isGiven = hasGivenId(message)
  const opts: NativeOptions = {}
  if (isGiven || version !== UNSAID || Object.keys(extras).length > 1) opts.jobport = extras
  if (attempts !== 1) opts.attempts = attempts
  if (backoff) opts.backoff = backoff
  if (delay > 0) opts.delay = Math.ceil(delay)
  if (priority) opts.priority = priority
  if (Object.keys(headers).length > 0) opts.headers = headers
  const json: JobJson = { ...NEW, id: uid, name, data: JSON.stringify(data), opts, timestamp }
  if (isGiven) {
    opts.deduplication = { id }
    json.deduplicationId = id
  }
  return json
}

/** Reads our jobs, and those of plain BullMQ producers: their id is their `deduplication.id`, else BullMQ's job id. */
export function fromJob(job: Job): Reading {
  const uid = String(job.id)
  const { name, timestamp } = job
  if (isUnreadable(job)) return invalidReading({ uid, name, timestamp, data: String(job.data) }, 'the record is not JSON')
  const {
    headers = {},
    jobport = { version: UNSAID },
    attempts,
    backoff,
    delay,
    priority,
    deduplication,
  } = job.opts as NativeOptions
  const { addedAt = timestamp, ...extras } = jobport
  try {
    const message = readMessage({
      ...extras,
      id: job.deduplicationId ?? deduplication?.id ?? uid,
      uid,
      name,
      data: (job.data ?? null) as unknown,
      headers,
      addedAt,
      attempts: attempts || 1,
      backoff: readBackoff(backoff),
      ...(delay && { delay }),
      ...(priority && priority <= 9 && { priority }),
    })
    return { message }
  } catch (error) {
    return invalidReading({ uid, name, timestamp, data: JSON.stringify(job.data ?? null) }, (error as Error).message)
  }
}

export function invalidReading({ uid, name, data, timestamp }: Raw, why: string): Reading {
  const error = new JobportError('INVALID_MESSAGE', `job ${uid}: ${why}`)
  return {
    message: { ...unreadable(uid, data), ...(name && { name }), ...(timestamp !== undefined && { addedAt: timestamp }) },
    invalid: toJobError(error),
  }
}

/** A caller's id lives in BullMQ's deduplication; one that core made is the job's own. */
export function hasGivenId({ id, uid }: Message): boolean {
  return id !== uid
}

/** Whether its id was given to Jobport, by an `add` or a redrive: its rules for ids then hold. */
export function isOurs(job: Job): boolean {
  return 'jobport' in job.opts
}

const UNREADABLE = Symbol('unreadable')

/** Marks a stand-in for a job whose record BullMQ cannot parse; its `data` is what was found. */
export function markUnreadable(job: Job): Job {
  return Object.assign(job, { [UNREADABLE]: true })
}

function isUnreadable(job: Job): boolean {
  return UNREADABLE in job
}

/** A backoff that only a strategy of BullMQ's own workers can tell. */
export interface ForeignBackoff {
  readonly type: string
  /** ms; 0 if the job names none. */
  readonly delay: number
}

export function foreignBackoff({ opts: { backoff } }: Pick<Job, 'opts'>): ForeignBackoff | undefined {
  if (typeof backoff !== 'object' || readBackoff(backoff) !== undefined) return undefined
  const { type, delay } = backoff as { type?: unknown; delay?: unknown }
  return { type: String(type), delay: Number.isFinite(delay) ? Math.max(0, Math.ceil(delay as number)) : 0 }
}

/** A custom type is left to the worker's `backoff` function, as BullMQ leaves it to the worker's strategy. */
function readBackoff(backoff: unknown): unknown {
  if (typeof backoff === 'number') return { type: 'fixed', delay: backoff }
  if (typeof backoff !== 'object' || backoff === null) return undefined
  const { type, delay = 0, max, jitter } = backoff as Record<string, unknown>
  return type === 'fixed' || type === 'exponential' ? { type, delay, max, jitter } : undefined
}
