import type { Job } from './job.ts'

/** Runs one job. The signal fires on timeout, stop, a lost lease, and once the job is settled. */
export type Handler<AnyJob = Job, Result = unknown> = (job: AnyJob, signal: AbortSignal) => Promise<Result> | Result

/** Wraps every run of a worker: call `next` once and return what it gives, or throw instead of it. */
export type Middleware<AnyJob = Job> = (job: AnyJob, next: () => Promise<unknown>) => Promise<unknown>

/** The first middleware is the outermost. */
export function compose<AnyJob>(middleware: readonly Middleware<AnyJob>[], handler: Handler<AnyJob>): Handler<AnyJob> {
  return middleware.reduceRight<Handler<AnyJob>>(
    (inner, outer) => (job, signal) =>
      outer(job, () => {
        const running = (async () => inner(job, signal))()
        // a middleware that does not wait for it must not end the process
        running.catch(() => {})
        return running
      }),
    handler,
  )
}
