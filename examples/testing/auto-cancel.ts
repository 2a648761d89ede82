import type { Broker, Queue } from '@jobport/core'

export const HOUR = 3_600_000

type CancelJobs = { 'auto-cancel': { orderId: string } }

/** Cancels an order that is not paid within an hour. */
export class AutoCancel {
  readonly cancelled: string[] = []
  readonly #queue: Queue<CancelJobs>

  constructor(broker: Broker) {
    this.#queue = broker.queue<CancelJobs>('auto-cancel')
    broker.worker<CancelJobs>('auto-cancel', {
      'auto-cancel': ({ data }) => void this.cancelled.push(data.orderId),
    })
  }

  async ordered(orderId: string): Promise<void> {
    await this.#queue.add('auto-cancel', { orderId }, { id: orderId, delay: HOUR })
  }

  /** `false`: too late, it is cancelled. */
  paid(orderId: string): Promise<boolean> {
    return this.#queue.remove(orderId)
  }
}
