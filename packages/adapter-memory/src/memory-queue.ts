import { JobportError, Lease, type Delivery, type Message, type Outcome, type PublishResult } from '@jobport/core/driver'
import { entryOf, reading, type Entry } from './entry.ts'
import { Lanes } from './lanes.ts'
import type { Clock } from './clock.ts'

/** A consumer of one queue, with as many free places as it may still be given jobs. */
export interface Subscriber {
  readonly client: object
  readonly deliver: (delivery: Delivery) => void
  free: number
}

/** One queue: where its jobs rest and how they move. */
export class MemoryQueue {
  readonly waiting: Lanes = new Lanes()
  readonly delayed: Map<string, Entry> = new Map()
  /** By uid, oldest first. */
  readonly dead: Map<string, Entry> = new Map()
  readonly subscribers: Set<Subscriber> = new Set()
  paused = false
  #order = 0
  #dispatching: NodeJS.Immediate | undefined
  /** Whose adds have not been answered yet. */
  readonly #fresh: Entry[] = []
  #answer: PromiseWithResolvers<void> | undefined
  readonly #clock: Clock
  readonly #changed: () => void
  /** The live job of each id: waiting, delayed or active. */
  readonly #live = new Map<string, Entry>()
  /** Ids that outlive their job, and until when. */
  readonly #windows = new Map<string, { readonly uid: string; readonly until: number }>()
  readonly #active = new Map<string, { readonly client: object; readonly lose: () => void }>()

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock
    this.#changed = changed
  }

  get active(): number {
    return this.#active.size
  }

  add(message: Message): PublishResult {
    const { id, uid, dedup, delay = 0 } = message
    const holder = this.live(id)?.uid ?? this.#window(id)
    if (holder !== undefined) return { status: 'duplicate', uid: holder }
    if (dedup) this.#windows.set(id, { uid, until: this.#clock.now() + dedup.ttl })
    const entry = entryOf(message, ++this.#order)
    this.#live.set(id, entry)
    this.#hold(entry, delay)
    this.#fresh.push(entry)
    return { status: 'added' }
  }

  /** Resolves on the next turn of the event loop, before any job that was added until now is delivered. */
  answer(): Promise<void> {
    this.#answer ??= Promise.withResolvers()
    this.#refill()
    return this.#answer.promise
  }

  live(id: string): Entry | undefined {
    return this.#live.get(id)
  }

  lives(): Iterable<Entry> {
    return this.#live.values()
  }

  subscribe(subscriber: Subscriber): void {
    this.subscribers.add(subscriber)
    this.dispatch()
  }

  /** Removes a waiting or delayed job; an active one is not touched. */
  remove(entry: Entry): boolean {
    if (entry.state !== 'waiting' && entry.state !== 'delayed') return false
    if (entry.state === 'waiting') this.waiting.remove(entry)
    this.#wake(entry)
    this.#free(entry)
    return true
  }

  redrive(entry: Entry, uid: string, attempts?: number): 'redriven' | 'duplicate' {
    const { dedup: _, delay: __, ...message } = reading(entry).message
    const result = this.add({ ...message, uid, ...(attempts !== undefined && { attempts }) })
    this.#refill()
    if (result.status !== 'added') return 'duplicate'
    this.dead.delete(entry.uid)
    return 'redriven'
  }

  /** Everything of `client`'s goes back as it was. */
  disconnect(client: object): void {
    for (const subscriber of this.subscribers) if (subscriber.client === client) this.subscribers.delete(subscriber)
    for (const active of [...this.#active.values()]) if (active.client === client) active.lose()
    this.dispatch()
  }

  /** Ends all timers and forgets all jobs. */
  clear(): void {
    for (const entry of this.delayed.values()) entry.cancel?.()
    for (const active of [...this.#active.values()]) active.lose()
    for (const entry of [...this.waiting]) this.waiting.remove(entry)
    for (const map of [this.delayed, this.dead, this.#live, this.#windows]) map.clear()
    this.paused = false
  }

  /** Gives waiting jobs to free places, one each in turn. */
  dispatch(): void {
    for (let given = true; given && !this.paused; ) {
      given = false
      for (const subscriber of this.subscribers) {
        const entry = subscriber.free > 0 ? this.waiting.take() : undefined
        if (!entry) continue
        this.#deliver(subscriber, entry)
        given = true
      }
    }
    this.#changed()
  }

  /** What a settlement makes room for, on the next turn of the event loop: however many jobs follow each other, timers get theirs. */
  #refill(): void {
    if (this.#dispatching) return
    this.#dispatching = setImmediate(() => {
      this.#dispatching = undefined
      this.#answer?.resolve()
      this.#answer = undefined
      const answered = this.#fresh.splice(0)
      this.dispatch()
      if (answered.length > 0) setImmediate(() => this.#release(answered))
    })
  }

  #release(answered: readonly Entry[]): void {
    for (const entry of answered) entry.isFresh = false
    this.dispatch()
  }

  #hold(entry: Entry, delay: number, { handedBack = false } = {}): void {
    if (delay > 0) {
      entry.state = 'delayed'
      entry.dueAt = this.#clock.now() + delay
      this.delayed.set(entry.uid, entry)
      entry.cancel = this.#clock.at(entry.dueAt, () => {
        this.#wake(entry)
        this.#hold(entry, 0)
        queueMicrotask(() => this.dispatch())
      })
      return this.#changed()
    }
    entry.state = 'waiting'
    this.waiting.add(entry, { handedBack })
  }

  #wake(entry: Entry): void {
    entry.cancel?.()
    delete entry.cancel
    delete entry.dueAt
    this.delayed.delete(entry.uid)
  }

  #deliver(subscriber: Subscriber, entry: Entry): void {
    const lease = new Lease()
    subscriber.free--
    entry.state = 'active'
    const end = (): void => {
      this.#active.delete(entry.uid)
      subscriber.free++
    }
    const lose = (): void => {
      end()
      lease.lose()
      if (this.#live.get(entry.id) === entry) this.#hold(entry, 0, { handedBack: true })
    }
    const abandon = (): void => {
      if (this.#active.get(entry.uid)?.lose !== lose) return
      entry.crashes++
      entry.stalled = true
      lose()
      this.#refill()
    }
    const settle = async (outcome: Outcome): Promise<void> => {
      if (this.#active.get(entry.uid)?.lose !== lose)
        throw new JobportError('LEASE_LOST', `job ${entry.id} is no longer held`, { id: entry.id })
      end()
      this.#settle(entry, outcome)
      this.#refill()
    }
    this.#active.set(entry.uid, { client: subscriber.client, lose })
    const { attempt, crashes, stalled } = entry
    entry.stalled = false
    subscriber.deliver({ ...reading(entry), attempt, crashes, stalled, lease, settle, abandon })
  }

  #settle(entry: Entry, outcome: Outcome): void {
    switch (outcome.type) {
      case 'complete':
        this.#live.delete(entry.id)
        return
      case 'again':
        entry.attempt = outcome.attempt
        return this.#hold(entry, outcome.delay)
      case 'release':
        return this.#hold(entry, 0, { handedBack: true })
      case 'dead':
        this.#free(entry)
        entry.state = 'dead'
        entry.order = ++this.#order
        entry.dead = { reason: outcome.reason, error: outcome.error, at: this.#clock.now() }
        this.dead.set(entry.uid, entry)
    }
  }

  #free(entry: Entry): void {
    this.#live.delete(entry.id)
    if (this.#windows.get(entry.id)?.uid === entry.uid) this.#windows.delete(entry.id)
  }

  /** The uid that keeps `id` taken although its job has completed. */
  #window(id: string): string | undefined {
    const window = this.#windows.get(id)
    if (window && window.until <= this.#clock.now()) this.#windows.delete(id)
    return this.#windows.get(id)?.uid
  }
}
