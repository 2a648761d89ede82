import { NatsDriver, type NatsOptions } from '@jobport/adapter-nats'
import type { Consumer, Delivery, Message, PublishResult } from '@jobport/core/driver'
import { ACK_WAIT, eventually } from './trial.ts'

const NEVER = new AbortController().signal

/** A worker and producer below core: it settles deliveries itself, or does not. */
export class Hand {
  readonly driver: NatsDriver
  readonly errors: Error[] = []
  /** What was delivered and not taken yet. */
  readonly delivered: Delivery[] = []
  readonly #queue: string
  #made = 0

  /** With leases of `ACK_WAIT`, unless told otherwise. */
  static async open(url: string, queue: string, options: NatsOptions = {}): Promise<Hand> {
    const hand = new Hand(new NatsDriver({ url, ackWait: ACK_WAIT, ...options }), queue)
    await hand.driver.connect({ down: () => {}, up: () => {}, error: (error) => hand.errors.push(error) })
    return hand
  }

  private constructor(driver: NatsDriver, queue: string) {
    this.driver = driver
    this.#queue = queue
  }

  consume(prefetch = 1): Promise<Consumer> {
    return this.driver.consume(this.#queue, (delivery) => this.delivered.push(delivery), { prefetch })
  }

  async publish(fields: Partial<Message> = {}): Promise<PublishResult> {
    const uid = `uid-${process.pid}-${Date.now()}-${this.#made++}`
    const plain = { version: 1, id: uid, uid, name: 'a', data: 1, headers: {}, addedAt: Date.now(), attempts: 1 }
    const [result] = await this.driver.publish(this.#queue, [{ ...plain, ...fields }], { signal: NEVER })
    return result!
  }

  take(deadline?: number): Promise<Delivery> {
    const first = (): Delivery | undefined => this.delivered.shift()
    return eventually('a delivery', first, () => this.errors.map(String), deadline)
  }

  close(): Promise<void> {
    return this.driver.close()
  }
}
