import { toJobError, type RetryError } from './errors.ts'
import type { Backoff, Outcome } from './driver.ts'

/** Longest wait that a timer or broker is asked for, ms: 100 years. */
const FOREVER = 100 * 365 * 86_400_000

/** The one place that decides what a failed run becomes. `wait` is what the backoff says about it. */
export function decide(error: Error, attempt: number, attempts: number, wait: number | 'dead'): Outcome {
  const plain = toJobError(error)
  if (error.name === 'UnrecoverableError' || wait === 'dead') return { type: 'dead', error: plain, reason: 'unrecoverable' }
  const { delay = wait, countAttempt = true } = isRetryError(error) ? error : {}
  if (!countAttempt) return { type: 'again', delay, attempt, error: plain }
  if (attempt >= attempts) return { type: 'dead', error: plain, reason: 'attempts' }
  return { type: 'again', delay, attempt: attempt + 1, error: plain }
}

/** The one place that computes a wait, in ms. `attempt` is the run that just failed. */
export function backoffDelay(backoff: Backoff | undefined, attempt: number, random: () => number = Math.random): number {
  if (!backoff) return 0
  const { type, delay, max = FOREVER, jitter = 0 } = backoff
  const wait = Math.min(type === 'fixed' ? delay : delay * 2 ** (attempt - 1), max, FOREVER)
  return Math.max(0, Math.round(wait - wait * jitter * random()))
}

function isRetryError(error: Error): error is RetryError {
  return error.name === 'RetryError' && 'delay' in error
}
