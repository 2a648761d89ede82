import { JobportError } from '@jobport/core/driver'
import { VirtualClock, type Clock } from './clock.ts'
import { MemoryQueue } from './memory-queue.ts'

/** The embedded broker: what a server would be. Drivers on one store see the same queues. */
export class MemoryStore {
  readonly clock: Clock
  readonly #queues = new Map<string, MemoryQueue>()
  readonly #watchers = new Set<() => void>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  queue(name: string): MemoryQueue {
    let queue = this.#queues.get(name)
    if (!queue) this.#queues.set(name, (queue = new MemoryQueue(this.clock, () => this.#notify())))
    return queue
  }

  queues(): Iterable<MemoryQueue> {
    return this.#queues.values()
  }

  drop(name: string): void {
    const queue = this.#queues.get(name)
    queue?.clear()
    if (queue?.subscribers.size === 0) this.#queues.delete(name)
  }

  disconnect(client: object): void {
    for (const queue of this.#queues.values()) queue.disconnect(client)
  }

  /** Resolves once nothing waits or runs; virtual time moves from alarm to alarm up to `limit`. Rejects with `TIMEOUT`. */
  async drain(limit: number, deadline: number): Promise<void> {
    do await this.#idle(deadline)
    while (this.clock instanceof VirtualClock && this.clock.step(limit))
    await new Promise(setImmediate)
  }

  async #idle(deadline: number): Promise<void> {
    const late = AbortSignal.timeout(deadline)
    const busy = (): string[] =>
      [...this.#queues].filter(([, queue]) => queue.waiting.size + queue.active > 0).map(([name]) => name)
    while (busy().length > 0) {
      await new Promise<void>((resolve, reject) => {
        this.#watchers.add(resolve)
        late.addEventListener('abort', () =>
          reject(new JobportError('TIMEOUT', `jobs still wait or run in ${busy().join(', ')}`)),
        )
      })
    }
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher()
    this.#watchers.clear()
  }
}

const named = new Map<string, MemoryStore>()

/** Without a name a store of its own; with one the process's store of that name. */
export function openStore(name: string, clock: Clock): MemoryStore {
  if (name === '') return new MemoryStore(clock)
  const store = named.get(name) ?? new MemoryStore(clock)
  named.set(name, store)
  return store
}
