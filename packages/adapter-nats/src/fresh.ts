/** One look for all who ask at the same time. Each gets the answer to one that began after it had asked. */
export class Fresh<T> {
  readonly #ask: () => Promise<T>
  #running: Promise<T> | undefined
  #next: Promise<T> | undefined

  constructor(ask: () => Promise<T>) {
    this.#ask = ask
  }

  look(): Promise<T> {
    if (!this.#running) return this.#start()
    this.#next ??= this.#running.then(this.#startNext, this.#startNext)
    return this.#next
  }

  readonly #startNext = (): Promise<T> => {
    this.#next = undefined
    return this.#start()
  }

  #start(): Promise<T> {
    const running = this.#ask()
    this.#running = running
    const end = (): void => void (this.#running === running && (this.#running = undefined))
    running.then(end, end)
    return running
  }
}
