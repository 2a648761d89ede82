import { MAX_TIMER } from './deadline.ts'
import { JobportError } from './errors.ts'
import { callable, checkRecord, finite, whole } from './options.ts'
import type { Middleware } from './middleware.ts'
import type { BackoffFunction } from './run.ts'

export interface WorkerOptions {
  /** Jobs running at once in this worker. Default 1. */
  readonly concurrency?: number
  /** Longest run in ms, for jobs that brought none. Default: none. */
  readonly timeout?: number
  /**
   * How long a handler may take to end after its timeout, ms. Until then the slot stays taken and the job does not run again.
   * Default 5,000.
   */
  readonly abortGrace?: number
  /** For jobs that brought none. Default: no wait. */
  readonly backoff?: BackoffFunction
  /** Lost workers that a job may cost before it is dead. Default 3. */
  readonly crashLimit?: number
  /** Around every run, the first outermost. */
  readonly middleware?: readonly Middleware[]
}

export interface StopOptions {
  /** How long running jobs may take to finish, ms; then they are aborted and given back. Default 10,000. */
  readonly timeout?: number
}

const WORKER_RULES = {
  concurrency: whole(1, 100_000),
  timeout: whole(1, MAX_TIMER),
  abortGrace: whole(0, MAX_TIMER),
  backoff: callable,
  crashLimit: whole(0, 1_000),
  middleware: (value: unknown, name: string): void => {
    if (!Array.isArray(value)) throw new JobportError('INVALID_ARGUMENT', `${name} must be a list of functions`)
    for (const item of value) callable(item, name)
  },
}

/** Throws `INVALID_ARGUMENT`. */
export function checkWorkerOptions(options: WorkerOptions): void {
  checkRecord(options, '', WORKER_RULES)
}

/** Throws `INVALID_ARGUMENT`. */
export function checkStop(options: StopOptions): void {
  checkRecord(options, '', STOP_RULES)
}

const STOP_RULES = { timeout: finite(0) }
