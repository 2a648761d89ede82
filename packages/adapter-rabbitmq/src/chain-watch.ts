import type { Channel } from 'amqplib'
import type { Link } from './link.ts'

/** What is consumed on one channel. */
interface Watching {
  readonly channel: Promise<Channel>
  /** By queue: what to call once it is gone. */
  readonly onGone: Map<string, () => void>
}

/** Tells when a queue is deleted, by whomever: RabbitMQ then cancels its consumers. */
export class ChainWatch {
  readonly #link: Link
  #watching: Watching | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** Calls `onGone` once: when `queue`, which holds nothing, is deleted, or when nobody would tell that any more. */
  async keep(queue: string, onGone: () => void): Promise<void> {
    const { channel, onGone: listeners } = (this.#watching ??= this.#open())
    const isWatched = listeners.has(queue)
    listeners.set(queue, onGone)
    if (isWatched) return
    const gone = (): void => {
      const listener = listeners.get(queue)
      listeners.delete(queue)
      listener?.()
    }
    try {
      await (await channel).consume(queue, (message) => message ?? gone(), { noAck: true })
    } catch (error) {
      listeners.delete(queue)
      throw error
    }
  }

  #open(): Watching {
    const onGone = new Map<string, () => void>()
    const channel = this.#link.channel()
    const watching = { channel, onGone }
    const end = (): void => {
      if (this.#watching === watching) this.#watching = undefined
      for (const listener of onGone.values()) listener()
      onGone.clear()
    }
    channel.then((opened) => opened.once('close', end), end)
    return watching
  }
}
