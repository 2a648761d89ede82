import {
  JobportError,
  type ConsumeOptions,
  type Consumer,
  type Delivery,
  type Driver,
  type DriverListener,
  type Features,
  type Message,
  type PublishResult,
  type QueueAdmin,
  type ServerInfo,
} from '@jobport/core/driver'
import { BullMQAdmin } from './admin.ts'
import { BullMQConsumer } from './consumer.ts'
import { within } from './deadline.ts'
import { FEATURES } from './features.ts'
import { PostgresStore } from './postgres-store.ts'
import { publish } from './publish.ts'
import { RedisStore } from './redis-store.ts'
import { readSettings, type Settings } from './settings.ts'
import type { BullMQOptions } from './options.ts'
import type { NativeQueue, Store } from './store.ts'

/** Jobs as BullMQ keeps them: its own workers, queues and tools see nothing unusual. */
export class BullMQDriver implements Driver {
  readonly contract = 1
  readonly name = 'bullmq'
  readonly features: Features = FEATURES
  readonly #settings: Settings
  readonly #store: Store
  readonly #consumers = new Set<BullMQConsumer>()
  #listener: DriverListener | undefined
  #closed: Promise<void> | undefined

  /** Throws `INVALID_CONFIG`. */
  constructor(config: string | BullMQOptions) {
    this.#settings = readSettings(config)
    const { target } = this.#settings
    this.#store = target.kind === 'postgres' ? new PostgresStore(this.#settings, target) : new RedisStore(this.#settings, target)
  }

  /** BullMQ's own queue, for what Jobport does not cover. Once connected; closed with the driver. */
  client(queue: string): NativeQueue {
    return this.#store.queue(queue)
  }

  async connect(listener: DriverListener): Promise<ServerInfo> {
    this.#listener = listener
    return this.#store.connect(listener)
  }

  async publish(name: string, messages: readonly Message[], { signal }: { signal: AbortSignal }): Promise<PublishResult[]> {
    if (!this.#store.isConnected || this.#closed) {
      const error = new JobportError('UNAVAILABLE', 'the broker is not connected')
      return messages.map(() => ({ status: 'rejected', error }))
    }
    return publish(this.#store.queue(name).getBackend(), this.#store.ledger(name), messages, signal)
  }

  async consume(name: string, deliver: (delivery: Delivery) => void, { prefetch }: ConsumeOptions): Promise<Consumer> {
    if (this.#closed) throw new JobportError('CLOSED', 'the driver is closed')
    const consumer: BullMQConsumer = new BullMQConsumer((attend) => this.#store.subscribe(name, attend, prefetch), {
      lockDuration: this.#settings.lockDuration,
      deliver,
      onError: (error) => this.#listener?.error(error),
      onEnd: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    await consumer.start()
    return consumer
  }

  admin(queue: string): QueueAdmin {
    return new BullMQAdmin(queue, this.#store)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const consumers = Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await within(4_200, 'closing', consumers).catch(() => {})
    await this.#store.close()
  }
}
