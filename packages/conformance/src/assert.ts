import { AssertionError, expect as chaiExpect } from 'chai'
import { JobportError, type ErrorCode } from '@jobport/core'
import * as waiting from './wait.ts'

/** Assertions made since the suite began: a case that makes none proves nothing. */
export const assertions = { made: 0 }

/** Chai's, counted. */
export function expect(value: unknown, message?: string): Chai.Assertion {
  assertions.made++
  return chaiExpect(value, message)
}

/** A failure that was found by other means. */
export function failed(message: string): never {
  assertions.made++
  throw new AssertionError(message)
}

/** The `JobportError` that `work` rejects with, after checking its code. */
export async function refusal(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode | readonly ErrorCode[],
): Promise<JobportError> {
  const error = await Promise.resolve(typeof work === 'function' ? attempt(work) : work).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const codes = typeof code === 'string' ? [code] : code
  expect(error, `a JobportError ${codes.join(' or ')}, not ${String(error)}`).to.be.instanceOf(JobportError)
  expect((error as JobportError).code, (error as JobportError).message).to.be.oneOf([...codes])
  return error as JobportError
}

export const DEADLINE = 15_000
/** What core gives an add, ms. */
export const ADDING = 10_000

/** Waits for `done`; see `wait.ts`. Counts as an assertion. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what: string,
  state: () => unknown,
  deadline: number = DEADLINE,
): Promise<void> {
  assertions.made++
  await waiting.until(done, what, state, deadline)
}

/** Nothing must change for `ms`. Counts as an assertion. */
export async function quiet(ms: number, what: string, state: () => unknown): Promise<void> {
  assertions.made++
  await waiting.quiet(ms, what, state)
}

/** Must end by its deadline. Counts as an assertion. */
export async function within<T>(deadline: number, what: string, work: Promise<T>): Promise<T> {
  assertions.made++
  return waiting.within(deadline, what, work)
}

async function attempt(work: () => unknown): Promise<unknown> {
  return work()
}
