import { patiently } from '@jobport/conformance'
import { randomBytes } from 'node:crypto'
import { createDriver, type RabbitMQDriver, type RabbitMQOptions } from '@jobport/adapter-rabbitmq'
import { eventually } from './trial.ts'
import type { Consumer, Delivery, Message, QueueAdmin } from '@jobport/core/driver'

/** One queue on a driver, without core: what is delivered waits until the test settles it. */
export class Hands {
  readonly queue: string = `hands-${randomBytes(6).toString('hex')}`
  readonly driver: RabbitMQDriver
  readonly deliveries: Delivery[] = []
  readonly errors: Error[] = []
  readonly downs: Error[] = []
  consumer: Consumer | undefined

  constructor(options: RabbitMQOptions = {}) {
    this.driver = createDriver({ url: process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672', ...options })
  }

  get admin(): QueueAdmin {
    return this.driver.admin(this.queue)
  }

  async connect(): Promise<void> {
    await this.driver.connect({
      down: (error) => void this.downs.push(error),
      up: () => {},
      error: (error) => void this.errors.push(error),
    })
  }

  async consume(prefetch: number): Promise<void> {
    await this.connect()
    this.consumer = await this.driver.consume(this.queue, (delivery) => void this.deliveries.push(delivery), { prefetch })
  }

  /** Each is added as the job of that data. A given id goes through the ledger. */
  async add(...jobs: readonly Partial<Message>[]): Promise<void> {
    const messages = jobs.map((job): Message => {
      const uid = crypto.randomUUID()
      return { version: 1, id: uid, uid, name: 'a', data: null, headers: {}, addedAt: Date.now(), attempts: 1, ...job }
    })
    const results = await this.driver.publish(this.queue, messages, { signal: AbortSignal.timeout(patiently(10_000)) })
    const refused = results.find(({ status }) => status !== 'added')
    if (refused) throw new Error(`not added: ${JSON.stringify(refused)}`)
  }

  /** The next delivery. */
  async next(what: string, deadline?: number): Promise<Delivery> {
    return eventually(what, () => this.deliveries.shift(), undefined, deadline)
  }

  async close(): Promise<void> {
    await this.driver.close()
    const cleaner = createDriver(this.url)
    await cleaner.connect({ down: () => {}, up: () => {}, error: () => {} })
    await cleaner.admin(this.queue).drop()
    await cleaner.close()
  }

  get url(): string {
    return process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672'
  }
}
