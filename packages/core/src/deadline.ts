import { JobportError } from './errors.ts'

/** Longest wait that Node's timers hold, ms. */
export const MAX_TIMER: number = 2 ** 31 - 1

/** Settles with `work`, or rejects with `TIMEOUT` after `ms`. The work itself goes on. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new JobportError('TIMEOUT', `${what} took longer than ${Math.round(ms)} ms`)),
      Math.min(Math.max(0, ms), MAX_TIMER),
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves after `ms`, or at once when `signal` fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(Math.max(0, ms), MAX_TIMER))
    signal.addEventListener('abort', done)
  })
}

/** Resolves with `work`, or after `ms`. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const abort = new AbortController()
  await Promise.race([work, pause(ms, abort.signal)])
  abort.abort()
}
