interface Waiting {
  readonly count: number
  readonly begin: () => void
}

/** Messages that leave in one turn of the event loop. */
export const STRIDE = 32

/**
 * Lets messages leave in the order of their calls, so many in a turn: the client writes at the end of one, and the broker
 * begins with them while the next are made.
 */
export class Pace {
  #left = STRIDE
  #isCounting = false
  readonly #waiting: Waiting[] = []

  /** `undefined`: `count` messages can leave at once. */
  enter(count: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#left > 0) {
      this.#take(count)
      return undefined
    }
    return new Promise((begin) => this.#waiting.push({ count, begin }))
  }

  #take(count: number): void {
    this.#left -= count
    if (this.#isCounting) return
    this.#isCounting = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#isCounting = false
    this.#left = STRIDE
    while (this.#left > 0) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#take(next.count)
      next.begin()
    }
  }
}
