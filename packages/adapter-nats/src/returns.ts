/** Jobs that go back at once are written one after the other, in the order in which they had come: each stands behind what waits. */
export class Returns {
  readonly #waiting: { readonly seq: number; readonly write: () => Promise<void> }[] = []
  #last: Promise<void> = Promise.resolve()

  /** Writes the job with this number in its stream when its turn has come. */
  enter(seq: number, write: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const written = (): Promise<void> => write().then(resolve, reject)
      if (this.#waiting.push({ seq, write: written }) > 1) return
      setImmediate(() => {
        for (const next of this.#waiting.splice(0).toSorted((a, b) => a.seq - b.seq)) this.#last = this.#last.then(next.write)
      })
    })
  }
}
