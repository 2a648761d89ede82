import { pause } from '../wait.ts'
import type { Breakable } from '../breakable.ts'
import type { Child } from '../child.ts'
import type { FaultProxy } from '../proxy.ts'
import type { Fallen, Struck } from '../duplicates.ts'
import type { PlannedBlow } from './plan.ts'

interface Reach {
  readonly broker: Breakable
  /** What stands between the producers and the broker, and the workers and the broker. */
  readonly producers: FaultProxy
  readonly workers: FaultProxy
  /** Another worker. */
  readonly start: () => Promise<Child>
}

/** A connection that is dead without a word is noticed within this by any adapter, ms; until then its worker holds what it holds. */
const NOTICE = 30_000
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

  /** Answers what was hit, and for how long. */
  async strike(planned: PlannedBlow): Promise<Fallen> {
    const { blow } = planned
    const from = Date.now()
    const workers = await this.#hit(planned)
    return { blow, from, until: Date.now() + (blow === 'silence the workers' ? NOTICE : 0), workers }
  }

  async #hit({ blow, victim, ms }: PlannedBlow): Promise<Struck> {
    const { broker, producers, workers } = this.#reach
    const place = Math.floor(victim * this.#staff.length)
    const worker = this.#staff[place]!
    const only = [this.children.indexOf(worker)]
    switch (blow) {
      case 'kill a worker':
        await worker.discard()
        this.#staff[place] = await this.#hire()
        return only
      case 'freeze a worker':
        worker.signal('SIGSTOP')
        await pause(ms)
        worker.signal('SIGCONT')
        return only
      case 'cut the producers':
        producers.reset()
        return []
      case 'cut the workers':
        workers.reset()
        return 'all'
      case 'silence the workers':
        workers.silence()
        return 'all'
      case 'slow the network':
        workers.slow(LATENCY)
        await pause(ms)
        workers.heal()
        return 'all'
      case 'restart the broker':
        await broker.restart()
        return 'all'
      case 'kill the broker':
        await broker.kill()
        await broker.start()
        return 'all'
      case 'freeze the broker':
        await broker.pause()
        await pause(ms)
        await broker.resume()
        return 'all'
    }
  }

  /** All is well from now on; whatever still passed through the proxies was cut off. */
  async mend(): Promise<Fallen> {
    const from = Date.now()
    const { broker, producers, workers } = this.#reach
    await broker.start()
    for (const worker of this.#staff) worker.signal('SIGCONT')
    producers.heal()
    workers.heal()
    return { blow: 'mend', from, until: Date.now(), workers: 'all' }
  }

  async #hire(): Promise<Child> {
    const child = await this.#reach.start()
    this.children.push(child)
    return child
  }
}
