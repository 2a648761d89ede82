import { decide, backoffDelay } from './retry.ts'
import { JobportError, leaseLost, type ErrorCode } from './errors.ts'
import { toError, toJobError } from './job-error.ts'
import { normalise } from './json.ts'
import { MAX_TIMER, within } from './deadline.ts'
import { isThenable } from './thenable.ts'
import type { Backoff, Delivery, Json, Outcome } from './driver.ts'
import type { Job } from './job.ts'
import { PayloadRefused } from './define-job.ts'
import type { Handler } from './middleware.ts'

/** A wait in ms, or `'dead'`: no further run. For jobs that brought no `backoff` of their own. */
export type BackoffFunction = (attempt: number, error: Error, job: Job) => number | 'dead' | Promise<number | 'dead'>

export interface RunPolicy {
  /** Longest run of a job that brought none, ms. */
  readonly timeout?: number | undefined
  readonly backoff?: BackoffFunction | undefined
  /** How long an aborted handler may take to end, ms. */
  readonly abortGrace: number
  /** Longest wait that the broker takes before a retry, ms. */
  readonly maxWait: number
  /** Largest result that the broker takes, bytes of JSON. */
  readonly maxResult: number
  /** Told of trouble that does not change the outcome. */
  readonly report: (error: Error) => void
}

/** How a run ended: what to tell the broker, and what the worker's listeners hear. */
export interface Verdict {
  /** Absent: the lease is lost, there is nothing to settle. */
  readonly outcome?: Outcome
  readonly error?: Error
  readonly result?: unknown
}

/** Longest wait for a backoff function that returns a promise, ms. */
const BACKOFF_LIMIT = 5_000

const SETTLED = new JobportError('CLOSED', 'the job is settled')

/** One run of one job: calls the handler, watches the clock and the lease, and decides. */
export class Run {
  readonly job: Job
  readonly delivery: Delivery
  readonly #abort = new AbortController()
  /** Why it was aborted first. A lost lease replaces any other reason. */
  #reason: JobportError | undefined
  /** When it ends without its handler, ms of `performance.now`. */
  #endAt = Infinity
  #grace: NodeJS.Timeout | undefined
  #interrupt: ((reason: JobportError) => void) | undefined

  constructor(job: Job, delivery: Delivery) {
    this.job = job
    this.delivery = delivery
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
      timeout === undefined
        ? undefined
        : setTimeout(() => this.end(timedOut(timeout), policy.abortGrace), Math.min(timeout, MAX_TIMER))
    lease.onLost(() => this.end(leaseLost(this.job), 0))
    try {
      const { signal } = this.#abort
      signal.throwIfAborted()
      const returned = handler(this.job, signal)
      const result = isThenable(returned) ? await this.#interruptible(returned) : returned
      return this.#reason ? await this.#late(this.#reason, policy) : completed(this.job, result, policy)
    } catch (thrown) {
      return await this.#threw(thrown, policy)
    } finally {
      clearTimeout(timer)
      clearTimeout(this.#grace)
    }
  }

  /**
   * Fires the handler's signal, and ends the run with the handler or after `grace` ms, never later than it was told before. The
   * first reason decides what becomes of the job: after `TIMEOUT` it has failed, after `CLOSED` it goes back.
   */
  end(reason: JobportError, grace: number): void {
    if (!this.#reason || reason.code === 'LEASE_LOST') this.#reason = reason
    this.#abort.abort(reason)
    const at = performance.now() + grace
    if (at >= this.#endAt) return
    this.#endAt = at
    clearTimeout(this.#grace)
    if (grace > 0) this.#grace = setTimeout(() => this.#interrupt?.(IGNORED), grace)
    else this.#interrupt?.(IGNORED)
  }

  /** Settles as the handler does, or rejects when a grace is over; the handler's late end is ignored. */
  #interruptible(running: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      // a thenable of its own kind may resolve with another one, which would tie this promise to it
      Promise.resolve(running).then(resolve, reject)
      if (performance.now() >= this.#endAt) reject(IGNORED)
    })
  }

  /** The handler has returned, but only after its signal had fired. */
  #late(reason: JobportError, policy: RunPolicy): Verdict | Promise<Verdict> {
    return reason.code === 'TIMEOUT' ? this.#failed(reason, policy) : given(reason)
  }

  async #threw(thrown: unknown, policy: RunPolicy): Promise<Verdict> {
    const reason = this.#reason
    if (!reason) return this.#failed(toError(thrown), policy)
    if (reason.code !== 'TIMEOUT') return given(reason)
    if (thrown === IGNORED) policy.report(ignoring(this.job))
    const standsForTimeout = thrown === IGNORED || toJobError(thrown).name === 'AbortError'
    return this.#failed(standsForTimeout ? reason : toError(thrown), policy)
  }

  async #failed(error: Error, policy: RunPolicy): Promise<Verdict> {
    if (error instanceof PayloadRefused) return { outcome: { type: 'dead', reason: 'invalid', error: toJobError(error) }, error }
    const { attempt, attempts } = this.job
    const wait = attempt < attempts ? await waitOf(this.job, error, this.delivery.message.backoff, policy) : 0
    return { outcome: whole(decide(error, attempt, attempts, wait), this.job, policy), error }
  }
}

/** What a run is interrupted with whose handler has not ended. */
const IGNORED = new JobportError('TIMEOUT', 'the handler ignores its signal')

/** Of a run that was stopped, or whose lease is lost. */
function given(reason: JobportError): Verdict {
  return reason.code === 'LEASE_LOST' ? { error: reason } : { outcome: { type: 'release' } }
}

function completed(job: Job, result: unknown, { maxResult, report }: RunPolicy): Verdict {
  return { outcome: { type: 'complete', result: result === undefined ? null : asJson(job, result, maxResult, report) }, result }
}

/** The work is done: a result that cannot be stored is `null`, and reported, but does not undo it. */
function asJson(job: Job, result: unknown, most: number, report: RunPolicy['report']): Json {
  try {
    const { data, atMost } = normalise(result)
    const size = atMost <= most ? 0 : Buffer.byteLength(JSON.stringify(data))
    if (size <= most) return data
    report(unstored('PAYLOAD_TOO_LARGE', job, `it has ${size} bytes; the server takes ${most}`))
  } catch (cause) {
    report(unstored('INVALID_ARGUMENT', job, toJobError(cause).message))
  }
  return null
}

function unstored(code: ErrorCode, { name, id }: Job, why: string): JobportError {
  return new JobportError(code, `the result of ${name} ${id} is not stored: ${why}`, { id })
}

async function waitOf(
  job: Job,
  error: Error,
  own: Backoff | undefined,
  { backoff, report }: RunPolicy,
): Promise<number | 'dead'> {
  if (own || !backoff) return backoffDelay(own, job.attempt)
  try {
    const wait = await within(BACKOFF_LIMIT, 'the backoff function', Promise.resolve(backoff(job.attempt, error, job)))
    if (wait === 'dead') return wait
    if (typeof wait === 'number' && !Number.isNaN(wait)) return Math.max(0, wait)
    throw new JobportError('INVALID_ARGUMENT', `backoff returned ${typeof wait}: it must return a number of ms, or 'dead'`)
  } catch (thrown) {
    report(toError(thrown))
    return 0
  }
}

/** Its wait in whole ms, cut to the longest that the broker takes. */
function whole(outcome: Outcome, { name, id }: Job, { maxWait, report }: RunPolicy): Outcome {
  if (outcome.type !== 'again') return outcome
  const delay = Math.ceil(outcome.delay)
  if (delay <= maxWait) return { ...outcome, delay }
  report(
    new JobportError(
      'INVALID_ARGUMENT',
      `the next run of ${name} ${id} comes after ${maxWait} ms, not ${delay}: the broker waits no longer`,
      { id },
    ),
  )
  return { ...outcome, delay: maxWait }
}

function timedOut(ms: number): JobportError {
  return new JobportError('TIMEOUT', `the run took longer than ${ms} ms`)
}

function ignoring({ name, id }: Job): JobportError {
  const text = `the handler of ${name} ${id} still runs long after its timeout: it ignores its signal and may overlap with the next run`
  return new JobportError('TIMEOUT', text, { id })
}
