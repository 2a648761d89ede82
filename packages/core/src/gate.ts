import { pause } from './deadline.ts'

/** Lets a fixed number of calls through at once; the others wait in order. */
export class Gate {
  readonly #places: number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(places: number) {
    this.#places = places
  }

  /** Resolves with `true` once a place is taken, which {@link leave} gives back; with `false` after `ms`. */
  async enter(ms: number): Promise<boolean> {
    if (this.#taken < this.#places) {
      this.#taken++
      return true
    }
    const entered = new AbortController()
    // the place of the call that leaves passes on
    const enter = (): void => entered.abort()
    this.#waiting.add(enter)
    await pause(ms, entered.signal)
    this.#waiting.delete(enter)
    return entered.signal.aborted
  }

  leave(): void {
    const [next] = this.#waiting
    if (!next) return void this.#taken--
    this.#waiting.delete(next)
    next()
  }
}
