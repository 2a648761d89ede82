import { toJobError } from './job-error.ts'
import type { Backoff, Outcome } from './driver.ts'

/** The one place that decides what a failed run becomes. `wait` is what the backoff says about it, ms. */
export function decide(error: Error, attempt: number, attempts: number, wait: number | 'dead'): Outcome {
  const plain = toJobError(error)
  if (plain.name === 'UnrecoverableError' || wait === 'dead') return { type: 'dead', error: plain, reason: 'unrecoverable' }
  const { delay = wait, countAttempt = true } = plain.name === 'RetryError' ? wishOf(error) : {}
  if (!countAttempt) return { type: 'again', delay, attempt, error: plain }
  if (attempt >= attempts) return { type: 'dead', error: plain, reason: 'attempts' }
  return { type: 'again', delay, attempt: attempt + 1, error: plain }
}

/** The one place that computes a wait, in ms. `attempt` is the run that just failed. */
export function backoffDelay(backoff: Backoff | undefined, attempt: number, random: () => number = Math.random): number {
  if (!backoff) return 0
  const { type, delay, max = Number.MAX_VALUE, jitter = 0 } = backoff
  const wait = Math.min(type === 'fixed' ? delay : delay * 2 ** Math.min(attempt - 1, 1_000), max, Number.MAX_VALUE)
  return Math.max(0, wait - wait * jitter * random())
}

/** What a `RetryError` asks for. It may be of another class with that name, so its fields may hold anything. */
function wishOf(error: Error): { delay?: number; countAttempt?: boolean } {
  try {
    // what could not be read is the cause of what stands for it
    const wisher = 'delay' in error ? error : error.cause
    const { delay, countAttempt } = wisher as { delay?: unknown; countAttempt?: unknown }
    return { ...(isWait(delay) && { delay }), ...(isWait(delay) && countAttempt === false && { countAttempt }) }
  } catch {
    return {}
  }
}

function isWait(value: unknown): value is number {
  return typeof value === 'number' && value >= 0
}
