import type { Channel, ConsumeMessage } from 'amqplib'

/** Of one channel with one consumer. What is settled without a gap is acknowledged in one frame, which spares the broker most of the work. */
export class Acknowledgements {
  readonly #channel: Channel
  #waiting: ConsumeMessage[] = []
  /** Tags count up from 1: all below this one are settled, and of those from it on these. */
  #lowest = 1
  readonly #settled = new Set<number>()

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** For the next `send`. */
  add(message: ConsumeMessage): void {
    this.#waiting.push(message)
  }

  /** Settled otherwise. */
  skip({ fields }: ConsumeMessage): void {
    this.#settled.add(fields.deliveryTag)
  }

  /** Throws if the channel is closed. */
  send(): void {
    const waiting = this.#waiting.splice(0)
    for (const message of waiting) this.skip(message)
    while (this.#settled.delete(this.#lowest)) this.#lowest++
    let last: ConsumeMessage | undefined
    for (const message of waiting) {
      const { deliveryTag } = message.fields
      if (deliveryTag >= this.#lowest) this.#channel.ack(message)
      else if (!last || deliveryTag > last.fields.deliveryTag) last = message
    }
    if (last) this.#channel.ack(last, true)
  }
}
