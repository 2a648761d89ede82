import { differ, differences } from './difference.ts'
import type { Backoff, Message, Outcome } from '@jobport/core/driver'
import type { ModelJob } from './model-job.ts'
import type { End } from './step.ts'

/** Why a delivery ends: a run's end, or what the worker decides without one. */
export type Ending =
  | End
  | { readonly how: 'time out' }
  | { readonly how: 'crashes' }
  | { readonly how: 'unknown' }
  | { readonly how: 'stop' }

export const MESSAGE = 'a run that failed'

/** Core's part: what becomes of a delivery, by how it ended. See the tables of `docs/lifecycle.md`. */
export function checkDecision(job: ModelJob, ending: Ending, outcome: Outcome): void {
  const { id } = job.message
  const [expected, waits] = decided(job, ending)
  const { type } = outcome
  const seen = {
    type,
    ...(type === 'again' && { attempt: outcome.attempt }),
    ...(type === 'dead' && { reason: outcome.reason }),
    ...(type === 'complete' && { result: outcome.result }),
  }
  const found = differences(expected, seen)
  if (found.length > 0)
    differ(`${id} ended by '${ending.how}' in run ${job.attempt} of ${job.message.attempts}: ${found.join('; ')}`)
  if (type === 'again' && (outcome.delay < Math.floor(waits[0]) || outcome.delay > Math.ceil(waits[1])))
    differ(`${id} is to wait ${outcome.delay} ms before its run ${outcome.attempt}, not ${waits.join(' to ')}`)
}

/** What a completed run leaves. */
export function resultOf({ message, attempt }: ModelJob): { readonly of: string; readonly attempt: number } {
  return { of: message.id, attempt }
}

function decided(job: ModelJob, ending: Ending): [expected: object, waits: readonly [number, number]] {
  const { attempt, message } = job
  const never = [0, 0] as const
  const again = (next: number, waits: readonly [number, number]): [object, readonly [number, number]] => [
    { type: 'again', attempt: next },
    waits,
  ]
  const dead = (reason: string): [object, readonly [number, number]] => [{ type: 'dead', reason }, never]
  const isLast = attempt >= message.attempts
  switch (ending.how) {
    case 'return':
      return [{ type: 'complete', result: resultOf(job) }, never]
    case 'stop':
      return [{ type: 'release' }, never]
    case 'crashes':
    case 'unknown':
      return dead(ending.how)
    case 'give up':
      return dead('unrecoverable')
    case 'retry': {
      const waits = [ending.delay, ending.delay] as const
      if (!ending.countAttempt) return again(attempt, waits)
      return isLast ? dead('attempts') : again(attempt + 1, waits)
    }
    case 'throw':
    case 'time out':
      return isLast ? dead('attempts') : again(attempt + 1, waitsOf(message, attempt))
  }
}

/** Shortest and longest, ms: the share that jitter takes off is random. */
function waitsOf({ backoff }: Message, attempt: number): readonly [number, number] {
  if (!backoff) return [0, 0]
  const { jitter = 0, max = Infinity } = backoff
  const wait = Math.min(waitOf(backoff, attempt), max)
  return [wait * (1 - jitter), wait]
}

function waitOf({ type, delay }: Backoff, attempt: number): number {
  return type === 'fixed' ? delay : delay * 2 ** (attempt - 1)
}
