/**
 * Jobs that go back at once go back newest first: BullMQ puts each of them before what waits, so that the oldest comes first in
 * the end.
 */
export class Returns {
  readonly #waiting: { readonly place: number; readonly go: () => void }[] = []

  /** Resolves when it is the turn of the job that was delivered as number `place`. */
  turn(place: number): Promise<void> {
    return new Promise((go) => {
      if (this.#waiting.push({ place, go }) > 1) return
      setImmediate(() => {
        for (const next of this.#waiting.splice(0).toSorted((a, b) => b.place - a.place)) next.go()
      })
    })
  }
}
