/** Longest wait that Node's timers hold, ms. */
export const MAX_TIMER: number = 2 ** 31 - 1

export interface Clock {
  /** Epoch ms. */
  now(): number
  /** Calls `run` once `when` has come, never earlier; answers how to cancel it. */
  at(when: number, run: () => void): () => void
}

/**
 * Real time. Node's timers may fire a fraction early, so what is not due yet is set again. They hold no process open:
 * a connected driver does.
 */
export const realClock: Clock = {
  now: Date.now,
  at(when, run) {
    let timer: NodeJS.Timeout
    const wait = (): void => {
      const left = when - Date.now()
      if (left <= 0) return run()
      timer = setTimeout(wait, Math.min(left, MAX_TIMER)).unref()
    }
    timer = setTimeout(wait, Math.min(Math.max(0, when - Date.now()), MAX_TIMER)).unref()
    return () => clearTimeout(timer)
  },
}

/** Time that stands still until it is moved: an hour's delay is over at once. Handlers' timeouts stay real. */
export class VirtualClock implements Clock {
  readonly #due = new Set<{ readonly when: number; readonly run: () => void }>()
  #now = Date.now()

  now(): number {
    return this.#now
  }

  at(when: number, run: () => void): () => void {
    const alarm = { when, run }
    this.#due.add(alarm)
    return () => void this.#due.delete(alarm)
  }

  /** Moves to the next alarm that is due by `limit` and rings it; without one moves to `limit` and answers `false`. */
  step(limit: number): boolean {
    const next = [...this.#due].toSorted((a, b) => a.when - b.when)[0]
    if (!next || next.when > limit) {
      if (Number.isFinite(limit)) this.#now = Math.max(this.#now, limit)
      return false
    }
    this.#now = Math.max(this.#now, next.when)
    this.#due.delete(next)
    next.run()
    return true
  }
}
