/** Calls to the broker that have not been answered yet. */
export class InFlight {
  #count = 0
  #waiting: (() => void)[] = []

  track<T>(call: Promise<T>): Promise<T> {
    this.#count++
    call.then(this.#ended, this.#ended)
    return call
  }

  /** Resolves once none is left, not even one that an answer has led to. */
  async none(): Promise<void> {
    while (this.#count > 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
      await new Promise(setImmediate)
    }
  }

  readonly #ended = (): void => {
    this.#count--
    if (this.#count > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
