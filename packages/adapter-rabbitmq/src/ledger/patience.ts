interface Waiting {
  readonly until: number
  readonly giveUp: () => void
}

/** Gives up what takes longer than `ms`. All wait equally long, so that one timer serves them, first come first. */
export class Patience {
  readonly #ms: number
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number) {
    this.#ms = ms
  }

  /** The answer ends it. */
  watch(giveUp: () => void): () => void {
    const waiting = { until: performance.now() + this.#ms, giveUp }
    this.#waiting.add(waiting)
    this.#timer ??= setTimeout(() => this.#look(), this.#ms)
    return () => {
      this.#waiting.delete(waiting)
      if (this.#waiting.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  #look(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const waiting of this.#waiting) {
      const left = Math.ceil(waiting.until - now)
      if (left > 0) {
        this.#timer = setTimeout(() => this.#look(), left)
        return
      }
      this.#waiting.delete(waiting)
      waiting.giveUp()
    }
  }
}
