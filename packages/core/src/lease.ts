/** A delivery's hold on its job. Made for every job, so it is less than an abort signal. */
export class Lease {
  #isLost = false
  #listener: (() => void) | undefined

  get isLost(): boolean {
    return this.#isLost
  }

  /** The driver's word that the job is no longer ours. */
  lose(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#listener?.()
  }

  /** Calls `listener` once it is lost, or at once if it is already. The last listener counts. */
  onLost(listener: () => void): void {
    this.#listener = listener
    if (this.#isLost) listener()
  }
}
