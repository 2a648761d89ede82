import { randomBytes } from 'node:crypto'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker, type BrokerOptions, type Handlers, type Worker, type WorkerOptions } from '@jobport/core'
import { connect, type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib'
import type { RabbitMQOptions } from '@jobport/adapter-rabbitmq'
import { patiently } from '@jobport/conformance'

type AnyJobs = Record<string, unknown>

/** ms, as all deadlines here: more where the machine is busy. */
const DEADLINE = 10_000
/** Of a call of a broker: as it is by default, ms. */
const CALL = { deadline: patiently(10_000) }

/** One queue, used through us and through plain amqplib; knows what it opened, and closes it. */
export class Trial {
  readonly url: string
  readonly name: string = `native-${randomBytes(6).toString('hex')}`
  /** What the work queue is called on the broker. */
  readonly work: string = `jobport.${this.name}`
  /** What brokers and workers told as `error`. */
  readonly errors: Error[] = []
  readonly #open: (() => Promise<unknown>)[] = []
  #plain: ChannelModel | undefined

  constructor(url: string = process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672') {
    this.url = url
  }

  broker(options: RabbitMQOptions = {}, brokerOptions: BrokerOptions = {}): Broker {
    const place = options.hosts || options.host || options.url ? {} : { url: this.url }
    const broker = new Broker(createDriver({ ...place, ...options }), { ...CALL, ...brokerOptions })
    broker.on('error', (error) => this.errors.push(error))
    this.#open.push(() => broker.close({ timeout: 0 }))
    return broker
  }

  async worker(broker: Broker, handlers: Handlers<AnyJobs>, options?: WorkerOptions): Promise<Worker<AnyJobs>> {
    const worker = broker.worker<AnyJobs>(this.name, handlers, options)
    worker.on('error', (error) => this.errors.push(error))
    await worker.ready()
    return worker
  }

  /** Of a plain client. */
  async channel(): Promise<ConfirmChannel> {
    if (!this.#plain) {
      this.#plain = await connect(this.url)
      this.#plain.on('error', () => {})
    }
    const channel = await this.#plain.createConfirmChannel()
    channel.on('error', () => {})
    return channel
  }

  /** What a plain consumer of a queue receives; nothing is acknowledged. */
  async consume(queue: string, options: { arguments?: Record<string, unknown> } = {}): Promise<ConsumeMessage[]> {
    const channel = await this.channel()
    const messages: ConsumeMessage[] = []
    await channel.prefetch(100)
    await channel.consume(queue, (message) => message && messages.push(message), options)
    return messages
  }

  async close(): Promise<void> {
    await this.#plain?.close().catch(() => {})
    await Promise.all(this.#open.map((close) => close()))
    const broker = new Broker(createDriver(this.url), CALL)
    await broker.queue(this.name).drop()
    await broker.close()
  }
}

/** Resolves with the first value that is neither undefined nor false. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  state: () => unknown = () => '',
  deadline: number = DEADLINE,
): Promise<NonNullable<T>> {
  const end = Date.now() + patiently(deadline)
  for (;;) {
    const value = await look()
    if (value) return value
    if (Date.now() > end) throw new Error(`${what} did not happen within ${patiently(deadline)} ms ${JSON.stringify(state())}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
