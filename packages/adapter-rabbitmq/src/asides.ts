import type { ConsumeMessage } from 'amqplib'

/** Further subscriptions of one worker. */
const MOST_SPARE = 32

/**
 * Messages of one session that are kept from their queue for a while. Each takes one of the deliveries that its
 * subscription may have out, and as many further ones as that costs are wanted, so that none holds up the others.
 */
export class Asides {
  readonly #returns = new Map<ConsumeMessage, (message: ConsumeMessage) => Promise<void>>()
  readonly #lost = new Set<ConsumeMessage>()
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Those of jobs that were given up: their next delivery is one crash more. */
  get lost(): number {
    return this.#lost.size
  }

  /** How many more subscriptions of `prefetch` it takes. */
  spares(prefetch: number): number {
    return Math.min(MOST_SPARE, Math.ceil(this.#returns.size / prefetch))
  }

  /** Until then; `giveBack` puts it into its queue again. Never rejects. */
  async keep(
    message: ConsumeMessage,
    until: Promise<unknown>,
    { isLost, giveBack }: { readonly isLost: boolean; readonly giveBack: (message: ConsumeMessage) => Promise<void> },
  ): Promise<void> {
    this.#returns.set(message, giveBack)
    if (isLost) this.#lost.add(message)
    this.#onChange()
    await until.catch(() => {})
    this.#lost.delete(message)
    if (!this.#returns.delete(message)) return
    await giveBack(message).catch(() => {})
    this.#onChange()
  }

  /** Gives all of them back. */
  end(): void {
    const returns = [...this.#returns]
    this.#returns.clear()
    for (const [message, giveBack] of returns) giveBack(message).catch(() => {})
  }
}
