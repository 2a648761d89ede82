import { patiently } from '@jobport/conformance'
import { randomBytes } from 'node:crypto'
import { BullMQDriver, type BullMQOptions } from '@jobport/adapter-bullmq'
import type { JobportError } from '@jobport/core'
import type { Consumer, Delivery, DriverListener, Message, PublishResult } from '@jobport/core/driver'
import { LEASE } from './lease.ts'
import { eventually } from './trial.ts'

export const STORES: readonly { readonly store: string; readonly url: string }[] = [
  { store: 'Redis', url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' },
  { store: 'PostgreSQL', url: process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/jobport' },
]

export const QUICK = { lockDuration: LEASE, stalledInterval: 400 }

/** A driver without core, and one queue. */
export class Bare {
  readonly name: string = `bare-${randomBytes(6).toString('hex')}`
  readonly driver: BullMQDriver
  /** In the order in which they came. */
  readonly deliveries: Delivery[] = []
  readonly errors: Error[] = []
  readonly edges: string[] = []
  consumer: Consumer | undefined
  readonly #listener: DriverListener = {
    down: () => this.edges.push('down'),
    up: () => this.edges.push('up'),
    error: (error) => this.errors.push(error),
  }

  constructor(url: string, options: BullMQOptions = {}, name?: string) {
    this.driver = new BullMQDriver({ url, ...QUICK, ...options })
    if (name !== undefined) this.name = name
  }

  async connect(): Promise<this> {
    await this.driver.connect(this.#listener)
    return this
  }

  async add(...messages: Partial<Message>[]): Promise<PublishResult[]> {
    const whole = messages.map((message) => messageOf(message))
    return this.driver.publish(this.name, whole, { signal: AbortSignal.timeout(patiently(8_000)) })
  }

  async consume(prefetch = 1): Promise<Consumer> {
    this.consumer = await this.driver.consume(this.name, (delivery) => this.deliveries.push(delivery), { prefetch })
    return this.consumer
  }

  /** The delivery of that number, from 0, once it has come. */
  async delivery(number: number, deadline?: number): Promise<Delivery> {
    return eventually(
      `delivery ${number}`,
      () => this.deliveries[number],
      () => this.errors,
      deadline,
    )
  }

  /** Removes the queue as well. */
  async close({ drop = true } = {}): Promise<void> {
    if (drop)
      await this.driver
        .admin(this.name)
        .drop()
        .catch(() => {})
    await this.driver.close()
  }
}

/** What the call was refused with. */
export function refusalOf(call: Promise<unknown>): Promise<JobportError | undefined> {
  return call.then(
    () => undefined,
    (error: JobportError) => error,
  )
}

export function messageOf(message: Partial<Message>): Message {
  const uid = randomBytes(8).toString('hex')
  return {
    version: 1,
    id: message.uid ?? uid,
    uid,
    name: 'a',
    data: null,
    headers: {},
    addedAt: Date.now(),
    attempts: 1,
    ...message,
  }
}
