/** Held at once by one broker. */
const MOST = 10_000
/** How often the broker is tried while adds are held, ms: a driver need not notice that it can be reached again. */
const INTERVAL = 250

/** Adds that wait for the broker to come back. All of them try again together, in order. */
export class HeldAdds {
  readonly #waiting = new Set<() => void>()
  #jobs = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * Resolves with `true` once it is worth trying again. Resolves with `false` when `end` (ms, of `performance.now`) has come,
   * or at once if too many are held already.
   */
  async wait(jobs: number, end: number): Promise<boolean> {
    const left = end - performance.now()
    if (left <= 0 || this.#jobs + jobs > MOST) return false
    this.#jobs += jobs
    this.#timer ??= setInterval(() => this.wake(), INTERVAL)
    try {
      return await this.#woken(left)
    } finally {
      this.#jobs -= jobs
      if (this.#jobs === 0) this.#rest()
    }
  }

  /** The broker may be back. */
  wake(): void {
    for (const wake of this.#waiting) wake()
  }

  #woken(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (woken: boolean): void => {
        clearTimeout(late)
        this.#waiting.delete(wake)
        resolve(woken)
      }
      const wake = (): void => settle(true)
      const late = setTimeout(() => settle(false), ms)
      this.#waiting.add(wake)
    })
  }

  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
