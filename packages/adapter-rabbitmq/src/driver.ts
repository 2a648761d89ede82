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
import { RabbitMQAdmin } from './admin.ts'
import { Calls } from './calls.ts'
import { ChainWatch } from './chain-watch.ts'
import { Client } from './client.ts'
import { RabbitMQConsumer } from './consumer.ts'
import { Control } from './control.ts'
import { within } from './deadline.ts'
import { Emptying } from './emptying.ts'
import { Leasing } from './lease.ts'
import { Ledgers } from './ledgers.ts'
import { Letters } from './letters.ts'
import { Post } from './post.ts'
import { Pace } from './pace.ts'
import { publish, type Publishing } from './publish.ts'
import { Publisher } from './publisher.ts'
import { readSettings, type Settings } from './settings.ts'
import { ServerPolicies } from './server-policies.ts'
import { LONGEST_DELAY } from './delay-steps.ts'
import { Topology } from './topology.ts'
import type { RabbitMQOptions } from './options.ts'

const TEN_YEARS = 10 * 365 * 86_400_000

function featuresOf({ ledger }: Settings): Features {
  return Object.freeze({
    delay: Object.freeze({ granularity: 100, max: LONGEST_DELAY, resolution: 1_000 }),
    dedup: Object.freeze({ maxTtl: TEN_YEARS }),
    priority: true,
    ordered: true,
    pause: true,
    cancel: ledger,
    inspect: ledger,
    durable: true,
  })
}

/** Queues move the jobs, a ledger knows them. */
export class RabbitMQDriver implements Driver {
  readonly contract = 1
  readonly name = 'rabbitmq'
  readonly features: Features
  readonly #settings: Settings
  readonly #client: Client
  readonly #policies: ServerPolicies
  readonly #topology: Topology
  readonly #calls: Calls
  readonly #control: Control
  readonly #publisher: Publisher
  readonly #post: Post
  readonly #ledgers: Ledgers
  readonly #publishing: Publishing
  readonly #leasing: Leasing
  readonly #letters = new Map<string, Letters>()
  readonly #consumers = new Set<RabbitMQConsumer>()
  #listener: DriverListener | undefined
  #closed: Promise<void> | undefined

  /** Throws `INVALID_CONFIG`. */
  constructor(config: string | RabbitMQOptions) {
    this.#settings = readSettings(config)
    this.features = featuresOf(this.#settings)
    this.#client = new Client(this.#settings)
    const { publishing, tending } = this.#client
    this.#calls = new Calls(tending)
    this.#policies = new ServerPolicies(this.#settings, (error) => this.#listener?.error(error))
    const watch = new ChainWatch(tending)
    this.#topology = new Topology(this.#calls, new Calls(publishing), this.#settings, this.#policies, watch)
    this.#control = new Control(tending, this.#calls, this.#topology.markArguments)
    this.#publisher = new Publisher(publishing)
    this.#post = new Post(this.#publisher, this.#topology)
    this.#ledgers = new Ledgers({
      link: tending,
      calls: this.#calls,
      topology: this.#topology,
      settings: this.#settings,
      onError: (error) => this.#listener?.error(error),
    })
    const all = this.#settings.ledger === 'all'
    this.#publishing = { post: this.#post, ledgers: this.#ledgers, pace: new Pace(), all }
    this.#leasing = new Leasing(this.#post, this.#ledgers, this.#settings, (error) => this.#listener?.error(error))
  }

  /** The connections, for what Jobport does not cover. Closed with the driver. */
  get client(): Client {
    return this.#client
  }

  async connect(listener: DriverListener): Promise<ServerInfo> {
    this.#listener = listener
    const server = await this.#client.connect(listener)
    return { server, maxPayload: this.#settings.maxPayload }
  }

  async publish(queue: string, messages: readonly Message[], { signal }: { signal: AbortSignal }): Promise<PublishResult[]> {
    if (!this.#client.publishing.isConnected || this.#closed) {
      const error = new JobportError('UNAVAILABLE', 'the broker is not connected')
      return messages.map(() => ({ status: 'rejected', error }))
    }
    return publish(this.#publishing, queue, messages, signal)
  }

  async consume(queue: string, deliver: (delivery: Delivery) => void, { prefetch }: ConsumeOptions): Promise<Consumer> {
    if (this.#closed) throw new JobportError('CLOSED', 'the driver is closed')
    const consumer: RabbitMQConsumer = new RabbitMQConsumer({
      queue,
      prefetch,
      quorum: this.#settings.queueType === 'quorum',
      link: this.#client.consuming,
      publisher: this.#publisher,
      topology: this.#topology,
      control: this.#control,
      lease: (hand) => this.#leasing.lease(hand),
      deliver,
      onError: (error) => this.#listener?.error(error),
      onEnd: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    await consumer.start()
    return consumer
  }

  admin(queue: string): QueueAdmin {
    const { work: _, failed } = this.#topology.names(queue)
    const letters = this.#letters.get(queue) ?? new Letters(this.#client.tending, this.#calls, failed)
    this.#letters.set(queue, letters)
    const tools = {
      calls: this.#calls,
      control: this.#control,
      topology: this.#topology,
      post: this.#post,
      ledgers: this.#ledgers,
      emptying: new Emptying(this.#client.tending, this.#calls, this.#topology, this.#settings),
    }
    return new RabbitMQAdmin(queue, { ...tools, letters, settings: this.#settings })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#policies.close()
    const letters = [...this.#letters.values()].map((each) => each.close())
    const consumers = [...this.#consumers].map((consumer) => consumer.close())
    await within(3_500, 'closing', Promise.all([...letters, ...consumers])).catch(() => {})
    await within(500, 'closing ledgers', this.#ledgers.close()).catch(() => {})
    await this.#client.close()
  }
}
