import { randomBytes } from 'node:crypto'
import { NatsDriver, type NatsOptions } from '@jobport/adapter-nats'
import { Broker, type BrokerOptions, type Handlers, type Worker, type WorkerOptions } from '@jobport/core'
import { patiently } from '@jobport/conformance'
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'

type AnyJobs = Record<string, unknown>

/** Short, so that a lost lease shows within a test, but as long as this machine needs to keep one, ms. */
export const ACK_WAIT: number = Math.ceil(patiently(1_500))
const QUICK = { ackWait: ACK_WAIT }
/** ms, as all deadlines here: more where the machine is busy. */
const DEADLINE = 8_000
/** Of a call of a broker: as it is by default, ms. */
const CALL = { deadline: patiently(10_000) }

/** One queue, used through us and through a plain NATS client; knows what it opened, and closes it. */
export class Trial {
  readonly url: string
  readonly name: string = `native-${randomBytes(6).toString('hex')}`
  readonly stream: string = `jobport-${this.name}`
  /** What brokers and workers told as `error`. */
  readonly errors: Error[] = []
  readonly #open: (() => Promise<unknown>)[] = []

  constructor(url: string = process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222') {
    this.url = url
  }

  broker(options: NatsOptions = {}, brokerOptions: BrokerOptions = {}): Broker {
    const place = options.servers === undefined && options.url === undefined ? { url: this.url } : {}
    const broker = new Broker(new NatsDriver({ ...QUICK, ...place, ...options }), { ...CALL, ...brokerOptions })
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

  /** A client that knows nothing of us. */
  async plain(): Promise<{ connection: NatsConnection; manager: JetStreamManager }> {
    const connection = await connect({ servers: this.url.replace('nats://', '') })
    this.#open.push(() => connection.close())
    return { connection, manager: await jetstreamManager(connection) }
  }

  /** Closes all, last opened first, and removes the queue. */
  async close(): Promise<void> {
    for (const close of this.#open.splice(0).toReversed()) await close()
    const cleaner = new Broker(new NatsDriver(this.url), CALL)
    await cleaner.queue(this.name).drop()
    await cleaner.close()
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
      throw new Error(`${what} did not happen within ${patiently(deadline)} ms: ${JSON.stringify(await state?.())}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
