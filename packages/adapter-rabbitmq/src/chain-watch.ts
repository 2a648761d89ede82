import { within } from './deadline.ts'
import { isMissing, toJobportError } from './faults.ts'
import type { Channel } from 'amqplib'
import type { Link } from './link.ts'

/** ms. */
const DEADLINE = 5_000
/** How often to try when the channel ends meanwhile. */
const TRIES = 3

/** What is consumed on one channel. */
interface Watching {
  readonly channel: Promise<Channel>
  /** By queue: what to call once it is gone. */
  readonly onGone: Map<string, () => void>
}

/** Notices when a queue is deleted, no matter by whom: RabbitMQ then cancels its consumers. */
export class ChainWatch {
  readonly #link: Link
  #watching: Watching | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** Calls `onGone` once: when `queue`, which holds nothing, is deleted, or when its deletion could no longer be noticed. */
  async keep(queue: string, onGone: () => void): Promise<void> {
    for (let tries = 1; ; tries++) {
      const watching = (this.#watching ??= this.#open())
      try {
        return await within(DEADLINE, `watching ${queue}`, this.#consume(watching, queue, onGone))
      } catch (error) {
        this.#end(watching)
        // one queue that is missing ends the channel of all
        if (isMissing(error) || tries === TRIES) throw toJobportError(error, `watching ${queue}`)
      }
    }
  }

  async #consume({ channel, onGone: listeners }: Watching, queue: string, onGone: () => void): Promise<void> {
    const isWatched = listeners.has(queue)
    listeners.set(queue, onGone)
    if (isWatched) return
    const gone = (): void => {
      const listener = listeners.get(queue)
      listeners.delete(queue)
      listener?.()
    }
    await (await channel).consume(queue, (message) => message ?? gone(), { noAck: true })
  }

  #open(): Watching {
    const watching = { channel: this.#link.channel(), onGone: new Map<string, () => void>() }
    watching.channel.then(
      (channel) => channel.once('close', () => this.#end(watching)),
      () => {},
    )
    return watching
  }

  #end(watching: Watching): void {
    if (this.#watching === watching) this.#watching = undefined
    const listeners = [...watching.onGone.values()]
    watching.onGone.clear()
    for (const listener of listeners) listener()
    void watching.channel.then((channel) => channel.close()).catch(() => {})
  }
}
