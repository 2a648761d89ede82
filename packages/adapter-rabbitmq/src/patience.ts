/** Gives up what takes longer than `ms`. All wait equally long, so that one timer serves them, first come first. */
export class Patience<T> {
  readonly #ms: number
  readonly #giveUp: (waiting: T) => void
  /** Until when. */
  readonly #waiting = new Map<T, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number, giveUp: (waiting: T) => void) {
    this.#ms = ms
    this.#giveUp = giveUp
  }

  watch(waiting: T): void {
    this.#waiting.set(waiting, performance.now() + this.#ms)
    this.#timer ??= setTimeout(() => this.#look(), this.#ms)
    if (this.#waiting.size === 1) this.#timer.ref()
  }

  /** The timer runs on: whoever is watched next may need it, and to set one for each costs more than all else here. */
  end(waiting: T): void {
    this.#waiting.delete(waiting)
    if (this.#waiting.size === 0) this.#timer?.unref()
  }

  #look(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const [waiting, until] of this.#waiting) {
      const left = Math.ceil(until - now)
      if (left > 0) {
        this.#timer = setTimeout(() => this.#look(), left)
        return
      }
      this.#waiting.delete(waiting)
      this.#giveUp(waiting)
    }
  }
}
