import { MAX_TIMER } from './deadline.ts'
import { JobportError } from './errors.ts'
import { checkHeaders, checkId } from './names.ts'
import { isPlain } from './plain.ts'
import type { Backoff } from './driver.ts'

/** What a queue's `defaults` can hold. */
export interface JobOptions {
  /** Total runs. Default 1: no retry. */
  readonly attempts?: number
  /** Wait between runs. Default: none. */
  readonly backoff?: Backoff
  /** Longest run, ms; then the signal fires and the run has failed. Default: the worker's, else none. */
  readonly timeout?: number
  /** Absent or 0 runs first, then 1 … 9. */
  readonly priority?: number
  /** Carried unchanged or refused. At most 64, values up to 4 KiB each, names and values up to 32 KiB together. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface AddOptions extends JobOptions {
  /** The caller's handle. A queue never holds two live jobs with one id. Default: made by core. */
  readonly id?: string
  /** Wait before the first run, ms. 0 and below: none. */
  readonly delay?: number
  /** The instant of the first run, instead of `delay`. A past one: now. */
  readonly at?: Date
  /** Keeps the id taken for `ttl` ms (≥ 1,000) after the add, even if the job has completed. */
  readonly dedup?: { readonly ttl: number }
  /** Longest wait for the broker's confirmation, ms. Default: the queue's. */
  readonly deadline?: number
}

export type Rule = (value: unknown, name: string) => void

const JOB_RULES: Record<keyof JobOptions, Rule> = {
  attempts: (value, name) => {
    if (value === 0) throw invalid(`${name} counts all runs, the first included: 1 is no retry`)
    whole(1, 1_000_000)(value, name)
  },
  backoff: checkBackoff,
  timeout: whole(1, MAX_TIMER),
  priority: whole(0, 9),
  headers: checkHeaders,
}

const ADD_RULES: Record<keyof AddOptions, Rule> = {
  ...JOB_RULES,
  id: checkId,
  delay: finite(-Infinity),
  at: checkDate,
  dedup: checkDedup,
  deadline: whole(1, MAX_TIMER),
}

const BACKOFF_RULES: Record<keyof Backoff, Rule> = {
  type: (value, name) => {
    if (value === 'fixed' || value === 'exponential') return
    throw invalid(`${name} must be 'fixed' or 'exponential'; any other wait is a function: the worker's option backoff`)
  },
  delay: finite(0),
  max: finite(0),
  jitter: finite(0, 1),
}

/** What we call what other libraries call it. */
const RENAMED: Record<string, string> = {
  jobId: 'id',
  opts: 'the options themselves, without a wrapper',
  options: 'the options themselves, without a wrapper',
  defaultJobOptions: 'defaults',
  maxStalledCount: 'crashLimit',
  deduplication: 'id, which keeps a second live job out, and dedup: { ttl } for a while longer',
  debounce: 'id, which keeps a second live job out; it does not replace the first one',
  singletonKey: 'id',
  retries: 'attempts (total runs)',
  maxRetries: 'attempts (total runs)',
  retryLimit: 'attempts (total runs)',
  retryDelay: 'backoff: { type, delay }',
  retryBackoff: 'backoff: { type, delay }',
  settings: 'backoff, a function, for what settings.backoffStrategy does',
  backoffStrategy: 'backoff, a function',
  startAfter: 'delay (ms) or at (Date)',
  runAt: 'at (Date)',
  expireInSeconds: 'timeout (ms)',
  ttl: 'dedup: { ttl }',
  lifo: 'priority; jobs of one priority run in order of arrival',
}

/** What is no option here, and why. */
const NO_OPTION: Record<string, string> = {
  connection: 'the broker has the connection: connect(url)',
  prefix: 'it belongs to the adapter: connect({ adapter, prefix, … })',
  lockDuration: "it belongs to the adapter: connect({ adapter: 'bullmq', lockDuration, … })",
  stalledInterval: "it belongs to the adapter: connect({ adapter: 'bullmq', stalledInterval, … })",
  removeOnComplete: "the adapter decides what is kept: connect({ adapter: 'bullmq', keep, … })",
  removeOnFail: "the adapter decides what is kept: connect({ adapter: 'bullmq', keep, … })",
  autorun: 'a worker starts by itself: make it when it shall start',
  limiter: 'there are no rate limits yet; concurrency bounds what runs at once',
  parent: 'there are no flows yet',
  repeat: 'jobs do not repeat yet',
  keepLogs: 'jobs have no logs yet',
}

export function checkAddOptions(options: unknown): asserts options is AddOptions {
  checkRecord(options, '', ADD_RULES)
  const { id, delay, at, dedup } = options as AddOptions
  if (delay !== undefined && at !== undefined) throw invalid('delay and at exclude each other')
  if (dedup && id === undefined) throw invalid('dedup needs an id')
}

export function checkDefaults(defaults: unknown): asserts defaults is JobOptions {
  checkRecord(defaults, 'defaults', JOB_RULES)
}

export function checkDeadline(deadline: unknown): void {
  if (deadline !== undefined) ADD_RULES.deadline(deadline, 'deadline')
}

/** Refuses what is no plain object, keys it does not know, and values that break their rule. `undefined` is absence. */
export function checkRecord(value: unknown, path: string, rules: Readonly<Record<string, Rule>>): void {
  if (!isPlain(value)) throw invalid(`${path || 'options'} must be a plain object`)
  for (const [key, item] of Object.entries(value)) {
    const name = path ? `${path}.${key}` : key
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (!rule) throw invalid(`unknown option '${name}'${advice(key, Object.keys(rules))}`)
    if (item !== undefined) rule(item, name)
  }
}

export function whole(least: number, most: number): Rule {
  return (value, name) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return
    throw invalid(`${name} must be a whole number from ${least} to ${most}`)
  }
}

export function finite(least: number, most: number = Infinity): Rule {
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`
  return (value, name) => {
    if (typeof value === 'number' && Number.isFinite(value) && value >= least && value <= most) return
    throw invalid(`${name} must be a number${least === -Infinity ? '' : ` ${range}`}`)
  }
}

export function callable(value: unknown, name: string): void {
  if (typeof value !== 'function') throw invalid(`${name} must be a function`)
}

function checkBackoff(value: unknown, name: string): void {
  if (typeof value === 'number') throw invalid(`${name} must be an object: { type: 'fixed', delay: ${value} }`)
  checkRecord(value, name, BACKOFF_RULES)
  const { type, delay } = value as Partial<Backoff>
  if (type === undefined || delay === undefined) throw invalid(`${name} needs type and delay`)
}

function checkDedup(value: unknown, name: string): void {
  checkRecord(value, name, { ttl: finite(1_000) })
  if ((value as Partial<Record<'ttl', number>>).ttl === undefined) throw invalid(`${name} needs ttl`)
}

function checkDate(value: unknown, name: string): void {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw invalid(`${name} must be a valid Date`)
}

function advice(key: string, known: readonly string[]): string {
  if (key === 'opts' && known.includes('options')) return "; did you mean 'options'?"
  if (Object.hasOwn(RENAMED, key)) return `; Jobport's is ${RENAMED[key]}`
  if (Object.hasOwn(NO_OPTION, key)) return `; ${NO_OPTION[key]}`
  const near = known.find((name) => distance(name.toLowerCase(), key.toLowerCase()) <= 2)
  return near ? `; did you mean '${near}'?` : `; known: ${known.join(', ')}`
}

/** Levenshtein's, row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}

function invalid(message: string): JobportError {
  return new JobportError('INVALID_ARGUMENT', message)
}
