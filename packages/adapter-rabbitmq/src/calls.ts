import { within } from './deadline.ts'
import { isMissing, toJobportError } from './faults.ts'
import type { Channel, Message } from 'amqplib'
import type { Link } from './link.ts'

/** ms. */
const DEADLINE = 8_000
const KEPT = 8
/** At work at once; the others wait in order. A server can allow few channels on a connection. */
const MOST = 32

/** Calls that the broker answers, each alone on its channel: one that is refused closes that channel and no other's. */
export class Calls {
  readonly #link: Link
  readonly #idle: Channel[] = []
  readonly #waiting: (() => void)[] = []
  #busy = 0

  constructor(link: Link) {
    this.#link = link
  }

  /** Rejects by its deadline with a typed error. */
  async run<T>(where: string, call: (channel: Channel) => Promise<T>): Promise<T> {
    try {
      return await this.#run(where, call)
    } catch (error) {
      throw toJobportError(error, where)
    }
  }

  /** The same, and `undefined` where what it asks for does not exist. */
  async find<T>(where: string, call: (channel: Channel) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#run(where, call)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw toJobportError(error, where)
    }
  }

  /** Which of these keys an exchange knows; `undefined` without the exchange. Stores nothing where their queue keeps nothing. */
  async bound(where: string, exchange: string, keys: readonly string[]): Promise<string[] | undefined> {
    const returned = new Set<string>()
    const note = ({ fields }: Message): void => void returned.add(fields.routingKey)
    return this.find(where, async (channel) => {
      channel.on('return', note)
      try {
        for (const key of keys) channel.publish(exchange, key, Buffer.alloc(0), { mandatory: true })
        // answered after all that came before
        await channel.checkExchange(exchange)
      } finally {
        channel.off('return', note)
      }
      return keys.filter((key) => !returned.has(key))
    })
  }

  async #run<T>(where: string, call: (channel: Channel) => Promise<T>): Promise<T> {
    if (this.#busy === MOST) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#busy++
    try {
      return await this.#answer(where, call)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#busy--
    }
  }

  async #answer<T>(where: string, call: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = this.#idle.pop() ?? (await this.#open())
    try {
      const answer = await within(DEADLINE, where, call(channel))
      if (this.#idle.length < KEPT && !closed.has(channel)) this.#idle.push(channel)
      else if (!closed.has(channel)) void channel.close().catch(() => {})
      return answer
    } catch (error) {
      if (!closed.has(channel)) await close(channel)
      throw error
    }
  }

  async #open(): Promise<Channel> {
    const channel = await this.#link.channel()
    channel.once('close', () => {
      closed.add(channel)
      const at = this.#idle.indexOf(channel)
      if (at >= 0) this.#idle.splice(at, 1)
    })
    return channel
  }
}

const closed = new WeakSet<Channel>()

async function close(channel: Channel): Promise<void> {
  try {
    await within(1_000, 'closing a channel', channel.close())
  } catch {
    // it is closed already
  }
}
