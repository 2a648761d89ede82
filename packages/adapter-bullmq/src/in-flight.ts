/** Calls to the store that have not been answered yet. */
export class InFlight {
  readonly #pending = new Set<Promise<unknown>>()

  track<T>(call: Promise<T>): Promise<T> {
    const ended = call
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.#pending.delete(ended))
    this.#pending.add(ended)
    return call
  }

  /** Resolves once none is left, not even one that an answer has led to. */
  async none(): Promise<void> {
    while (this.#pending.size > 0) {
      await Promise.all(this.#pending)
      await new Promise(setImmediate)
    }
  }
}
