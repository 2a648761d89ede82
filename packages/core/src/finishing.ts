import type { Run } from './run.ts'

/** Finishes runs at the end of this turn: firing a signal takes longer than the rest of a run, and the next job should not wait for it. */
export class Finishing {
  /** Settled in this turn of the event loop. */
  readonly #settled: Run[] = []

  add(run: Run): void {
    if (this.#settled.push(run) > 1) return
    setImmediate(() => {
      for (const settled of this.#settled.splice(0)) settled.finish()
    })
  }
}
