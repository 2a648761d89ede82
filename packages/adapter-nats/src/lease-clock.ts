/** A moment by two clocks, ms: one that no setting moves, and one that goes on while the machine sleeps. */
export interface Moment {
  readonly steady: number
  readonly wall: number
}

export function now(): Moment {
  return { steady: performance.now(), wall: Date.now() }
}

/** ms since then, by the clock that says more. */
export function since({ steady, wall }: Moment): number {
  return Math.max(performance.now() - steady, Date.now() - wall)
}

/** How long a lease is known to be held: from before the server began to count. */
export class LeaseClock {
  readonly #length: number
  #renewed: Moment

  /** `length`: ms. `from`: before the server handed the job out. */
  constructor(length: number, from: Moment) {
    this.#length = length
    this.#renewed = from
  }

  get isLapsed(): boolean {
    return since(this.#renewed) >= this.#length
  }

  /** Whether it is time to renew it. */
  get isDue(): boolean {
    return since(this.#renewed) >= this.#length / 3
  }

  /** `at`: before the server was asked. One that has lapsed stays so. */
  renewed(at: Moment): void {
    if (!this.isLapsed && at.steady > this.#renewed.steady) this.#renewed = at
  }
}
