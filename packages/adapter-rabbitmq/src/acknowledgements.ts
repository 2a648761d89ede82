import type { Channel, ConsumeMessage } from 'amqplib'

/** Of one channel with one consumer. What is settled without a gap is acknowledged in one frame, which spares the broker most of the work. */
export class Acknowledgements {
  readonly #channel: Channel
  /** Tags, which count up, of what was delivered and is not settled. */
  readonly #unsettled = new Set<number>()
  #waiting: ConsumeMessage[] = []

  constructor(channel: Channel) {
    this.#channel = channel
  }

  delivered({ fields }: ConsumeMessage): void {
    this.#unsettled.add(fields.deliveryTag)
  }

  /** For the next `send`. */
  add(message: ConsumeMessage): void {
    this.#waiting.push(message)
  }

  /** Settled otherwise. */
  skip({ fields }: ConsumeMessage): void {
    this.#unsettled.delete(fields.deliveryTag)
  }

  /** Throws if the channel is closed. */
  send(): void {
    const waiting = this.#waiting.splice(0)
    for (const message of waiting) this.skip(message)
    const [lowest = Infinity] = this.#unsettled
    let last: ConsumeMessage | undefined
    for (const message of waiting) {
      const { deliveryTag } = message.fields
      if (deliveryTag > lowest) this.#channel.ack(message)
      else if (!last || deliveryTag > last.fields.deliveryTag) last = message
    }
    if (last) this.#channel.ack(last, true)
  }
}
