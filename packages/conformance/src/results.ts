import { AssertionError } from 'chai'

export type Status = 'passed' | 'failed' | 'refused' | 'not applicable' | 'unreached'

export interface Result {
  readonly id: string
  readonly chapter: number
  readonly title: string
  readonly status: Status
  readonly assertions: number
  readonly ms: number
  /** Of a fault: runs of an attempt that had been run before. */
  readonly duplicates?: number
  /** Why it failed, or does not apply; of one that passed, which part could not be tested. */
  readonly reason?: string
  /** Whether it failed on an assertion of its own, and not on some error or the runner's timeout. */
  readonly byAssertion?: boolean
}

/** What the cases took the time of, ms each. */
export interface Timings {
  readonly lateness: readonly number[]
  readonly disorder: readonly number[]
  readonly redelivery: readonly number[]
}

/** What became of each case. */
export class Results {
  readonly seed: number
  readonly timings: Timings
  readonly #results = new Map<string, Result>()

  constructor(seed: number, timings: Timings) {
    this.seed = seed
    this.timings = timings
  }

  record(result: Result): void {
    this.#results.set(result.id, result)
  }

  get(id: string): Result | undefined {
    return this.#results.get(id)
  }

  /** In the order in which they ran. */
  all(): Result[] {
    return [...this.#results.values()]
  }

  with(status: Status): Result[] {
    return this.all().filter((result) => result.status === status)
  }
}

export function failureOf(error: unknown): { reason: string; byAssertion: boolean } {
  const { message } = error as Error
  return { reason: message, byAssertion: error instanceof AssertionError }
}
