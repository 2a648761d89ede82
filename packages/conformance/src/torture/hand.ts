import { pause } from '../wait.ts'
import type { Breakable } from '../breakable.ts'
import type { Child } from '../child.ts'
import type { FaultProxy } from '../proxy.ts'
import type { PlannedBlow } from './plan.ts'

interface Reach {
  readonly broker: Breakable
  /** What stands between the producers and the broker, and the workers and the broker. */
  readonly producers: FaultProxy
  readonly workers: FaultProxy
  /** Another worker. */
  readonly start: () => Promise<Child>
}

/** Each way, ms. */
const LATENCY = 200

/** Carries out blows, and undoes what does not pass by itself. */
export class Hand {
  /** All that ever were. */
  readonly children: Child[] = []
  readonly #reach: Reach
  readonly #staff: Child[] = []

  constructor(reach: Reach) {
    this.#reach = reach
  }

  async staff(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#staff[i] = await this.#hire()
  }

  async strike({ blow, victim, ms }: PlannedBlow): Promise<void> {
    const { broker, producers, workers } = this.#reach
    const place = Math.floor(victim * this.#staff.length)
    const worker = this.#staff[place]!
    switch (blow) {
      case 'kill a worker':
        await worker.kill()
        this.#staff[place] = await this.#hire()
        return
      case 'freeze a worker':
        worker.signal('SIGSTOP')
        await pause(ms)
        worker.signal('SIGCONT')
        return
      case 'cut the producers':
        return producers.reset()
      case 'cut the workers':
        return workers.reset()
      case 'silence the workers':
        return workers.silence()
      case 'slow the network':
        workers.slow(LATENCY)
        await pause(ms)
        return workers.heal()
      case 'restart the broker':
        return broker.restart()
      case 'kill the broker':
        await broker.kill()
        return broker.start()
      case 'freeze the broker':
        await broker.pause()
        await pause(ms)
        return broker.resume()
    }
  }

  /** All is well from now on. */
  async mend(): Promise<void> {
    const { broker, producers, workers } = this.#reach
    await broker.start()
    for (const worker of this.#staff) worker.signal('SIGCONT')
    producers.heal()
    workers.heal()
  }

  async #hire(): Promise<Child> {
    const child = await this.#reach.start()
    this.children.push(child)
    return child
  }
}
