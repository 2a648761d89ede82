/** Between two looks, ms. */
const PACE = 2_000

/** The most that a measure has ever shown; it does not keep the process open. */
export class Peak {
  #highest: number | undefined
  readonly #measure: () => number | undefined
  readonly #timer: NodeJS.Timeout

  constructor(measure: () => number | undefined) {
    this.#measure = measure
    this.#timer = setInterval(() => this.#look(), PACE).unref()
  }

  /** Looks once more, and answers. `undefined`: nothing was ever shown. */
  end(): number | undefined {
    clearInterval(this.#timer)
    this.#look()
    return this.#highest
  }

  #look(): void {
    const now = this.#measure()
    if (now !== undefined) this.#highest = Math.max(now, this.#highest ?? 0)
  }
}
