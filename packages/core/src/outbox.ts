import { confirm } from './publish.ts'
import type { Connection } from './connection.ts'
import type { Driver, Message } from './driver.ts'
import type { Receipt } from './receipt.ts'
import type { JobportError } from './errors.ts'

interface Waiting {
  readonly message: Message
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: JobportError) => void
}

/** Sent together at most: the first answers should not wait for too many others. */
const BATCH = 16

/** Brings single messages of one queue to the driver: those of one turn of the event loop together, in order. */
export class Outbox {
  readonly #connection: Connection
  readonly #queue: string
  #waiting: Waiting[] = []
  #driver: Driver | undefined
  #deadline = 0

  constructor(connection: Connection, queue: string) {
    this.#connection = connection
    this.#queue = queue
  }

  /** `deadline`: ms from now. */
  add(driver: Driver, message: Message, deadline: number): Promise<Receipt> {
    if (this.#waiting.length > 0 && (this.#deadline !== deadline || this.#waiting.length === BATCH)) this.flush()
    if (this.#waiting.length === 0) {
      this.#driver = driver
      this.#deadline = deadline
      const batch = this.#waiting
      // once nothing else is left to do in this turn
      process.nextTick(() => batch === this.#waiting && this.flush())
    }
    return new Promise((resolve, reject) => this.#waiting.push({ message, resolve, reject }))
  }

  /** Whatever is sent after it comes after all that was added before. */
  flush(): void {
    const batch = this.#waiting
    this.#waiting = []
    if (batch.length > 0) void this.#send(batch)
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const messages = batch.map(({ message }) => message)
    try {
      this.#connection.checkOpen()
    } catch (error) {
      return batch.forEach(({ reject }) => reject(error as JobportError))
    }
    const outcomes = await confirm(this.#connection, this.#driver!, this.#queue, messages, this.#deadline)
    for (const [i, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[i]!
      if ('added' in outcome) resolve(outcome)
      else reject(outcome)
    }
  }
}
