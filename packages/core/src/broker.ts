import { closeOnSignal } from './closing-signals.ts'
import { Connection } from './connection.ts'
import { checkRecord, whole } from './options.ts'
import { Emitter, type BrokerEvents } from './events.ts'
import { JobportError } from './errors.ts'
import { toError } from './job-error.ts'
import { MAX_TIMER } from './deadline.ts'
import { Queue, type QueueOptions } from './queue.ts'
import { Worker } from './worker.ts'
import { checkStop, type StopOptions, type WorkerOptions } from './worker-options.ts'
import type { Config } from './config.ts'
import type { Driver, Features, QueueStatus } from './driver.ts'
import type { Handlers } from './handlers.ts'

export interface BrokerOptions {
  /** Longest wait for the broker in any call, ms. Default 10,000. */
  readonly deadline?: number
  /** Features that the program cannot do without: an adapter that lacks one is refused with `NOT_SUPPORTED`. */
  readonly require?: readonly (keyof Features)[]
}

export interface Health {
  /** The broker answered, every worker here consumes, and none of its slots is stuck. */
  readonly ok: boolean
  /** Round trip to the broker, ms. */
  readonly latency?: number
  /** Product and version as the server tells them. */
  readonly server?: string
  /** Why the broker did not answer. */
  readonly error?: Error
  /** The queues that this broker object has used. */
  readonly queues: Readonly<Record<string, QueueStatus>>
  /** The workers of this broker object, without those that were stopped. */
  readonly workers: readonly WorkerHealth[]
}

export interface WorkerHealth {
  readonly queue: string
  readonly consuming: boolean
  /** Jobs in hand. */
  readonly running: number
  /** Those of them that have ended, while the broker refuses to store how, or has not answered for a minute. */
  readonly stuck: number
}

/** A connection to one broker; connects on first use. A process may hold several. */
export class Broker extends Emitter<BrokerEvents> {
  readonly #connection: Connection
  readonly #deadline: number
  readonly #queues = new Set<string>()
  readonly #workers = new Set<Worker<never>>()
  /** How to cancel what `closeOn` asked for. */
  readonly #signals = new Map<NodeJS.Signals, () => void>()
  #closed: Promise<void> | undefined

  /** Throws `INVALID_ARGUMENT` on a bad option; what is wrong with `config` shows at first use. */
  constructor(config?: Config, options: BrokerOptions = {}) {
    super(EVENTS)
    checkRecord(options, '', RULES)
    this.#deadline = options.deadline ?? 10_000
    const { require = [] } = options
    this.#connection = new Connection(
      config,
      { deadline: this.#deadline, require },
      {
        down: (error) => this.notify('down', error),
        up: () => this.notify('up'),
        error: (error) => this.notify('error', error),
      },
    )
  }

  /** Connects now instead of on first use. */
  async connect(): Promise<this> {
    await this.#connection.connect()
    return this
  }

  /** The adapter's driver, for what the portable API does not cover. Made, not necessarily connected. */
  driver(): Promise<Driver> {
    return this.#connection.driver()
  }

  queue<Jobs extends object = Record<string, unknown>>(name: string, options?: QueueOptions): Queue<Jobs> {
    this.#connection.checkOpen()
    const queue = new Queue<Jobs>(name, this.#connection, this.#deadline, options)
    this.#queues.add(name)
    return queue
  }

  worker<Jobs extends object = Record<string, unknown>>(
    queue: string,
    handlers: Handlers<Jobs>,
    options?: WorkerOptions,
  ): Worker<Jobs> {
    this.#checkOpen()
    const worker = new Worker<Jobs>(queue, handlers, this.#connection, options)
    this.#queues.add(queue)
    this.#workers.add(worker)
    return worker
  }

  /** Never rejects: says whether the broker answers, not whether a socket is open. Ends within the deadline. */
  async health(): Promise<Health> {
    const workers = [...this.#workers]
      .filter(({ stopped }) => !stopped)
      .map(({ queue, consuming, running, stuck }) => ({ queue, consuming, running, stuck }))
    const end = this.#connection.end()
    try {
      const latency = await this.#connection.ping(end)
      const { server } = await this.#connection.connect()
      const states = [...this.#queues].map(
        async (name) => [name, await this.#connection.admin(name, 'status', (admin) => admin.status(), end)] as const,
      )
      const queues = Object.fromEntries(await Promise.all(states))
      return { ok: workers.every(({ consuming, stuck }) => consuming && stuck === 0), latency, server, queues, workers }
    } catch (thrown) {
      return { ok: false, error: toError(thrown), queues: {}, workers }
    }
  }

  /**
   * Closes gracefully on the first of these signals; the next one ends the process at once. Any number of brokers can share a
   * signal.
   */
  closeOn(...signals: NodeJS.Signals[]): this {
    this.#checkOpen()
    for (const signal of signals) {
      if (!this.#signals.has(signal))
        this.#signals.set(
          signal,
          closeOnSignal(signal, () => void this.close()),
        )
    }
    return this
  }

  /**
   * Stops the workers, gracefully for `timeout` ms, then disconnects. Idempotent: the first call's `timeout` counts, and for a
   * worker that is stopping already its own. Ends in time even if the broker is away. The process then exits by itself. No
   * worker can be made from now on. Running jobs may use the broker until the workers have stopped; then all calls are
   * refused with `CLOSED`.
   */
  async close(options: StopOptions = {}): Promise<void> {
    checkStop(options)
    this.#closed ??= this.#close(options)
    return this.#closed
  }

  async #close(options: StopOptions): Promise<void> {
    try {
      if (this.#workers.size > 0) await Promise.all([...this.#workers].map((worker) => worker.stop(options)))
      await this.#connection.close()
    } catch (error) {
      this.notify('error', toError(error))
    }
    for (const cancel of this.#signals.values()) cancel()
  }

  /** Closes it, as `await using` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new JobportError('CLOSED', 'the broker is closed')
  }
}

/** Connects to the broker that `config` names, or the environment. Rejects with a typed error within the deadline. */
export async function connect(config?: Config, options?: BrokerOptions): Promise<Broker> {
  const broker = new Broker(config, options)
  try {
    return await broker.connect()
  } catch (error) {
    await broker.close()
    throw error
  }
}

const EVENTS: readonly (keyof BrokerEvents)[] = ['down', 'up', 'error']

const RULES = {
  deadline: whole(1, MAX_TIMER),
  require: (value: unknown): void => {
    if (Array.isArray(value) && value.every((feature) => FEATURES.has(feature))) return
    throw new JobportError('INVALID_ARGUMENT', `require must be a list of ${[...FEATURES].join(', ')}`)
  },
}

const FEATURES: ReadonlySet<unknown> = new Set<keyof Features>([
  'delay',
  'dedup',
  'priority',
  'ordered',
  'pause',
  'cancel',
  'inspect',
  'durable',
])
