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
import { NatsAdmin } from './admin.ts'
import { Client } from './client.ts'
import { NatsConsumer } from './consumer.ts'
import { within } from './deadline.ts'
import { Letters } from './letters.ts'
import { Names } from './names.ts'
import { publish } from './publish.ts'
import { Records } from './records.ts'
import { readSettings, TEN_YEARS } from './settings.ts'
import { Topology } from './topology.ts'
import type { NatsOptions } from './options.ts'
import type { NatsConnection } from '@nats-io/transport-node'

const FEATURES: Features = Object.freeze({
  delay: Object.freeze({ granularity: 300, max: TEN_YEARS, resolution: 300 }),
  dedup: Object.freeze({ maxTtl: TEN_YEARS }),
  priority: true,
  ordered: true,
  pause: true,
  cancel: 'all',
  inspect: 'all',
  durable: true,
})

/** Jobs in NATS JetStream and nowhere else: a work-queue stream for each queue. */
export class NatsDriver implements Driver {
  readonly contract = 1
  readonly name = 'nats'
  readonly features: Features = FEATURES
  readonly #client: Client
  readonly #topology: Topology
  readonly #letters = new Letters()
  readonly #consumers = new Set<NatsConsumer>()
  #closed: Promise<void> | undefined

  /** Throws `INVALID_CONFIG`. */
  constructor(config: string | NatsOptions) {
    this.#client = new Client(readSettings(config))
    this.#topology = new Topology(this.#client)
  }

  /** The connection of the NATS client, for what Jobport does not cover. Once connected; closed with the driver. */
  get client(): NatsConnection {
    return this.#client.connection
  }

  connect(listener: DriverListener): Promise<ServerInfo> {
    return this.#client.connect(listener)
  }

  async publish(queue: string, messages: readonly Message[], { signal }: { signal: AbortSignal }): Promise<PublishResult[]> {
    if (!this.#client.isConnected || this.#closed) {
      const error = new JobportError('UNAVAILABLE', 'the broker is not connected')
      return messages.map(() => ({ status: 'rejected', error }))
    }
    return publish(messages, { records: this.#records(queue), topology: this.#topology, signal })
  }

  async consume(queue: string, deliver: (delivery: Delivery) => void, { prefetch }: ConsumeOptions): Promise<Consumer> {
    if (this.#closed) throw new JobportError('CLOSED', 'the driver is closed')
    if (!this.#client.isConnected) throw new JobportError('UNAVAILABLE', 'the broker is not connected')
    const consumer: NatsConsumer = new NatsConsumer({
      prefetch,
      client: this.#client,
      records: this.#records(queue),
      topology: this.#topology,
      deliver,
      onEnd: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    await consumer.start()
    return consumer
  }

  admin(queue: string): QueueAdmin {
    return new NatsAdmin(this.#client, this.#records(queue), this.#topology, this.#letters)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const consumers = Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await within(4_000, 'closing', consumers).catch(() => {})
    await this.#client.close()
  }

  #records(queue: string): Records {
    return new Records(this.#client, new Names(this.#client.settings.prefix, queue))
  }
}
