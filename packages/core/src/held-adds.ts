/** Held at once by one broker. */
const MOST = 10_000
/** After which the broker is tried while adds are held, ms: a driver need not notice that it can be reached again. */
const FIRST_TRY = 250
const LONGEST_WAIT = 1_000

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
    if (!this.#timer) this.#tryIn(FIRST_TRY)
    try {
      return await this.#woken(left)
    } finally {
      this.#jobs -= jobs
      if (this.#jobs === 0) {
        clearTimeout(this.#timer)
        this.#timer = undefined
      }
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

  #tryIn(ms: number): void {
    this.#timer = setTimeout(() => {
      this.wake()
      this.#tryIn(Math.min(ms * 2, LONGEST_WAIT))
    }, ms)
  }
}
