import { randomBytes } from 'node:crypto'
import { BullMQDriver, type BullMQOptions } from '@jobport/adapter-bullmq'
import { Broker, type BrokerOptions, type Handlers, type Worker, type WorkerOptions } from '@jobport/core'
import { patiently } from '@jobport/conformance'
import {
  Queue as PlainQueue,
  QueueEvents,
  Worker as PlainWorker,
  type Job,
  type Processor,
  type WorkerOptions as PlainOptions,
} from 'bullmq'
import { LEASE } from './lease.ts'

type AnyJobs = Record<string, unknown>
type Seen = Readonly<Record<string, unknown>>

const QUICK = { lockDuration: LEASE, stalledInterval: 500 }
/** ms, as all deadlines here: more where the machine is busy. */
const DEADLINE = 8_000
/** Of a call of a broker: as it is by default, ms. */
const CALL = { deadline: patiently(10_000) }

/** One queue, used through us and through plain BullMQ; knows what it opened, and closes it. */
export class Trial {
  readonly url: string
  readonly name: string = `native-${randomBytes(6).toString('hex')}`
  /** What brokers and workers told as `error`. */
  readonly errors: Error[] = []
  readonly #open: (() => Promise<unknown>)[] = []

  constructor(url: string = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379') {
    this.url = url
  }

  broker(options: BullMQOptions = {}, brokerOptions: BrokerOptions = {}): Broker {
    const place = options.connection || options.host ? {} : { url: this.url }
    const broker = new Broker(new BullMQDriver({ ...QUICK, ...place, ...options }), { ...CALL, ...brokerOptions })
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

  plainQueue(): PlainQueue {
    return this.#closing(new PlainQueue(this.name, { connection: { url: this.url } }))
  }

  async plainWorker(process: Processor, options: Partial<PlainOptions> = {}): Promise<PlainWorker> {
    const connection = { url: this.url, maxRetriesPerRequest: null }
    const worker = new PlainWorker(this.name, process, { connection, ...QUICK, ...options })
    worker.on('error', (error) => this.errors.push(error))
    this.#open.push(() => worker.close(true))
    await worker.waitUntilReady()
    return worker
  }

  async events(): Promise<QueueEvents> {
    const events = this.#closing(new QueueEvents(this.name, { connection: { url: this.url } }))
    await events.waitUntilReady()
    return events
  }

  /** Closes all, last opened first, and removes the queue. */
  async close(): Promise<void> {
    const queue = this.plainQueue()
    const [ended, ...rest] = this.#open.splice(0).toReversed()
    for (const close of rest) await close()
    await queue.obliterate({ force: true })
    await ended!()
  }

  #closing<Closable extends { close(): Promise<unknown> }>(thing: Closable): Closable {
    this.#open.push(() => thing.close())
    return thing
  }
}

/** Resolves with what `read` answers once that is something; fails with what `state` shows. */
export async function eventually<T>(
  what: string,
  read: () => T | Promise<T>,
  state?: () => unknown,
  deadline = DEADLINE,
): Promise<NonNullable<T>> {
  const end = performance.now() + patiently(deadline)
  for (;;) {
    const answer = await read()
    if (answer !== undefined && answer !== null && answer !== false) return answer
    if (performance.now() > end)
      throw new Error(`${what} did not happen within ${patiently(deadline)} ms: ${JSON.stringify(state?.())}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What a job of BullMQ holds, beside what changes from run to run. */
export function plainly({ id, name, data, opts }: Job): Seen {
  return { id, name, data: data as unknown, opts }
}
