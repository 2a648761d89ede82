/** So many are remembered. */
const MOST = 1_000

/** Where the dead letters lie that were shown last. The server finds one by its id at once, by its uid only by looking at all. */
export class Letters {
  readonly #tokens = new Map<string, string>()

  /** The subject's token of its id. */
  tokenOf(stream: string, uid: string): string | undefined {
    return this.#tokens.get(`${stream} ${uid}`)
  }

  remember(stream: string, uid: string, token: string): void {
    this.#tokens.set(`${stream} ${uid}`, token)
    if (this.#tokens.size <= MOST) return
    const [oldest] = this.#tokens.keys()
    this.#tokens.delete(oldest!)
  }
}
