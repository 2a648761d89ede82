import { Patience } from './patience.ts'

/** Longest that a message waits for a slot, ms. */
const PATIENCE = 250
/** All slots were used once in so many ms: what comes next may as well be here. */
const QUICK = 100

export interface SlotsOptions<T> {
  readonly most: number
  readonly begin: (message: T) => void
  /** No slot came free in time. */
  readonly giveUp: (message: T) => void
  /** Of {@link Slots.isAhead}. */
  readonly onChange: () => void
}

/** So many messages may be in work at a time. What was delivered beyond waits for its turn, briefly. */
export class Slots<T> {
  readonly #options: SlotsOptions<T>
  readonly #waiting = new Set<T>()
  readonly #patience = new Patience<T>(PATIENCE, (message) => this.#giveUp(message))
  #busy = 0
  #isAhead = false
  #turns = 0
  #since = performance.now()

  constructor(options: SlotsOptions<T>) {
    this.#options = options
  }

  /** Slots change hands so quickly that more messages than there are slots should be delivered. */
  get isAhead(): boolean {
    return this.#isAhead
  }

  /** Messages that were delivered beyond the slots and have not had their turn. */
  get waiting(): number {
    return this.#waiting.size
  }

  enter(message: T): void {
    if (this.#busy < this.#options.most) return this.#begin(message)
    this.#waiting.add(message)
    this.#patience.watch(message)
  }

  /** A slot is free again. `lingers`: its message is not settled for a while yet, and until then the broker sends no other for it. */
  leave({ lingers }: { lingers: boolean }): void {
    this.#busy--
    if (lingers) this.#count()
    const [next] = this.#waiting
    if (next === undefined) return
    this.#take(next)
    this.#begin(next)
  }

  /** Answers what waited. */
  clear(): readonly T[] {
    const waiting = [...this.#waiting]
    for (const message of waiting) this.#take(message)
    return waiting
  }

  #begin(message: T): void {
    this.#busy++
    this.#options.begin(message)
  }

  #take(message: T): void {
    this.#waiting.delete(message)
    this.#patience.end(message)
  }

  #giveUp(message: T): void {
    this.#waiting.delete(message)
    this.#turn(false)
    this.#options.giveUp(message)
  }

  #count(): void {
    if (++this.#turns < this.#options.most) return
    const now = performance.now()
    // a lone slot takes jobs in the order of the queue
    if (now - this.#since < QUICK && this.#options.most > 1) this.#turn(true)
    this.#turns = 0
    this.#since = now
  }

  #turn(ahead: boolean): void {
    if (this.#isAhead === ahead) return
    this.#isAhead = ahead
    this.#options.onChange()
  }
}
