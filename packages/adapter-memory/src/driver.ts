import { MemoryAdmin } from './admin.ts'
import { MAX_TIMER, realClock } from './clock.ts'
import { readOptions, type MemoryOptions } from './options.ts'
import { openStore, type MemoryStore } from './store.ts'
import type {
  ConsumeOptions,
  Consumer,
  Delivery,
  Driver,
  Features,
  Message,
  PublishResult,
  QueueAdmin,
  ServerInfo,
} from '@jobport/core/driver'

const CENTURY = 100 * 365 * 86_400_000

const FEATURES: Features = Object.freeze({
  delay: Object.freeze({ granularity: 50, max: CENTURY, resolution: 5 }),
  dedup: Object.freeze({ maxTtl: CENTURY }),
  priority: true,
  ordered: true,
  pause: true,
  cancel: 'all',
  inspect: 'all',
  durable: false,
})

/** The whole contract in one process: for users' own tests, for development, and as the specification one can run. */
export class MemoryDriver implements Driver {
  readonly contract = 1
  readonly name = 'memory'
  readonly features: Features = FEATURES
  /** The embedded broker itself. */
  readonly client: MemoryStore
  readonly #maxPayload: number
  /** What a socket is elsewhere: the process stays until `close`. */
  #open: NodeJS.Timeout | undefined

  /** Throws `INVALID_CONFIG`. */
  constructor(config: string | MemoryOptions = {}) {
    const { store, clock = realClock, maxPayload } = readOptions(config)
    this.client = openStore(store, clock)
    this.#maxPayload = maxPayload
  }

  async connect(): Promise<ServerInfo> {
    this.#open ??= setInterval(() => {}, MAX_TIMER)
    return { server: 'memory', maxPayload: this.#maxPayload }
  }

  async publish(queue: string, messages: readonly Message[]): Promise<PublishResult[]> {
    const store = this.client.queue(queue)
    const results = messages.map((message) => store.add(message))
    await store.answer()
    return results
  }

  async consume(name: string, deliver: (delivery: Delivery) => void, { prefetch }: ConsumeOptions): Promise<Consumer> {
    const queue = this.client.queue(name)
    const subscriber = { client: this, deliver, free: prefetch }
    queue.subscribe(subscriber)
    return {
      stop: async () => void queue.subscribers.delete(subscriber),
      get lastContact() {
        return Date.now()
      },
    }
  }

  admin(queue: string): QueueAdmin {
    return new MemoryAdmin(queue, this.client)
  }

  async close(): Promise<void> {
    clearInterval(this.#open)
    this.#open = undefined
    this.client.disconnect(this)
  }

  /** Runs until no job waits or runs; with a `VirtualClock` until none is delayed either. Rejects after `deadline` ms. */
  async drain({ deadline = 5_000 }: { readonly deadline?: number } = {}): Promise<void> {
    await this.client.drain(Infinity, deadline)
  }

  /** Moves a `VirtualClock` on by `ms`, running all that comes due on the way. */
  async advance(ms: number, { deadline = 5_000 }: { readonly deadline?: number } = {}): Promise<void> {
    await this.client.drain(this.client.clock.now() + ms, deadline)
  }
}
