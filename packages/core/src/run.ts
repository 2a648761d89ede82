import { decide, backoffDelay } from './retry.ts'
import { JobportError, toError } from './errors.ts'
import { normalise } from './json.ts'
import { MAX_TIMER } from './deadline.ts'
import type { Backoff, Delivery, Json, Outcome } from './driver.ts'
import type { Job } from './job.ts'
import type { Handler } from './middleware.ts'

/** A wait in ms, or `'dead'`: no further run. For jobs that brought no `backoff` of their own. */
export type BackoffFunction = (attempt: number, error: Error, job: Job) => number | 'dead' | Promise<number | 'dead'>

export interface RunPolicy {
  readonly timeout?: number
  readonly backoff?: BackoffFunction
}

/** How a run ended: what to tell the broker, and what the worker's listeners hear. */
export interface Verdict {
  /** Absent: the lease is lost, there is nothing to settle. */
  readonly outcome?: Outcome
  readonly error?: Error
  readonly result?: unknown
  /** Trouble of ours that does not change the outcome. */
  readonly trouble?: Error
}

const SETTLED = new JobportError('CLOSED', 'the job is settled')

/** One run of one job: calls the handler, watches the clock and the lease, and decides. */
export class Run {
  readonly job: Job
  readonly delivery: Delivery
  readonly #abort = new AbortController()
  #interrupt: ((reason: JobportError) => void) | undefined

  constructor(job: Job, delivery: Delivery) {
    this.job = job
    this.delivery = delivery
  }

  /** Ends the run from outside: its verdict is to give the job back. */
  abort(reason: JobportError): void {
    this.#abort.abort(reason)
    this.#interrupt?.(reason)
  }

  /** Fires the handler's signal for whatever it left behind. */
  finish(): void {
    this.#abort.abort(SETTLED)
  }

  /** Never rejects. */
  async execute(handler: Handler, policy: RunPolicy): Promise<Verdict> {
    const { lease, message } = this.delivery
    const timeout = message.timeout ?? policy.timeout
    const timer =
      timeout === undefined ? undefined : setTimeout(() => this.abort(timedOut(timeout)), Math.min(timeout, MAX_TIMER))
    lease.onLost(() => this.abort(leaseLost(this.job)))
    try {
      const { signal } = this.#abort
      signal.throwIfAborted()
      const returned = handler(this.job, signal)
      return completed(this.job, isThenable(returned) ? await this.#interruptible(returned) : returned)
    } catch (thrown) {
      return await this.#failed(toError(thrown), policy)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Settles as the handler does, or rejects as soon as the run is aborted; the handler's late end is ignored. */
  #interruptible(running: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      running.then(resolve, reject)
    })
  }

  async #failed(error: Error, policy: RunPolicy): Promise<Verdict> {
    const { signal } = this.#abort
    const { code } = signal.aborted && error === signal.reason ? (error as JobportError) : { code: undefined }
    if (code === 'LEASE_LOST') return { error }
    if (code === 'CLOSED') return { outcome: { type: 'release' } }
    const { attempt, attempts } = this.job
    const { wait, trouble } =
      attempt < attempts ? await waitOf(this.job, error, this.delivery.message.backoff, policy.backoff) : { wait: 0 }
    return { outcome: decide(error, attempt, attempts, wait), error, ...(trouble && { trouble }) }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

function completed({ name, id }: Job, result: unknown): Verdict {
  const { json, trouble } = asJson(result, `${name} ${id}`)
  return { outcome: { type: 'complete', result: json }, result, ...(trouble && { trouble }) }
}

/** The work is done: a result that is no JSON is not stored, and said, but does not undo it. */
function asJson(result: unknown, job: string): { json: Json; trouble?: Error } {
  if (result === undefined) return { json: null }
  try {
    return { json: normalise(result).data }
  } catch (cause) {
    return {
      json: null,
      trouble: new JobportError('INVALID_ARGUMENT', `the result of ${job} is not stored: ${(cause as Error).message}`),
    }
  }
}

async function waitOf(
  job: Job,
  error: Error,
  own: Backoff | undefined,
  fallback: BackoffFunction | undefined,
): Promise<{ wait: number | 'dead'; trouble?: Error }> {
  if (own || !fallback) return { wait: backoffDelay(own, job.attempt) }
  try {
    const wait = await fallback(job.attempt, error, job)
    if (wait === 'dead' || (typeof wait === 'number' && Number.isFinite(wait)))
      return { wait: wait === 'dead' ? wait : Math.max(0, wait) }
    throw new JobportError('INVALID_ARGUMENT', `backoff answered ${String(wait)}: it must be a number of ms, or 'dead'`)
  } catch (thrown) {
    return { wait: 0, trouble: toError(thrown) }
  }
}

function timedOut(ms: number): JobportError {
  return new JobportError('TIMEOUT', `the run took longer than ${ms} ms`)
}

function leaseLost({ name, id }: Job): JobportError {
  return new JobportError('LEASE_LOST', `${name} ${id} is no longer this worker's`, { id })
}
