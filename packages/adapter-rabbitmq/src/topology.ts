import { JobportError } from '@jobport/core/driver'
import { isForeign } from './faults.ts'
import { digitsOf, levels, pattern, stepsOf } from './delay-steps.ts'
import { Dismantling } from './dismantling.ts'
import { LEVELS, namesOf, type DelayNames, type Names } from './names.ts'
import { tally } from './tally.ts'
import type { Channel } from 'amqplib'
import type { Calls } from './calls.ts'
import type { ChainWatch } from './chain-watch.ts'
import type { ServerPolicies } from './server-policies.ts'
import type { Settings } from './settings.ts'

/** Where to publish a message so that it arrives in the work queue, at once or after a delay. */
export interface Route {
  readonly exchange: string
  readonly key: string
}

/**
 * What a queue is made of on the broker, declared when first needed.
 *
 * A delay in ms is written with eight hexadecimal digits. For each digit other than 0 the message rests in a queue
 * whose messages expire after digit × 16^level ms, from the highest level to the lowest, and then leaves the chain.
 */
export class Topology {
  readonly #calls: Calls
  readonly #probes: Calls
  readonly #settings: Settings
  readonly #policies: ServerPolicies
  readonly #watch: ChainWatch
  readonly #dismantling: Dismantling
  readonly #made = new Map<string, Promise<void>>()
  readonly #ready = new Set<string>()
  readonly #direct = new Map<string, Route>()

  /** `probes` publish, and so go over the connection that the broker may stop reading from. */
  constructor(calls: Calls, probes: Calls, settings: Settings, policies: ServerPolicies, watch: ChainWatch) {
    this.#policies = policies
    this.#watch = watch
    this.#calls = calls
    this.#probes = probes
    this.#settings = settings
    this.#dismantling = new Dismantling(calls)
  }

  names(queue: string): Names {
    const { prefix, delays } = this.#settings
    return namesOf(prefix, queue, delays)
  }

  /** Of queues that are there to be seen and hold nothing: as safe as those that hold jobs. */
  get markArguments(): Record<string, unknown> {
    return this.#settings.queueType === 'classic' ? { 'x-queue-type': 'classic' } : this.#quorum()
  }

  /** Work queue and dead letters. Rejects with `SERVER_UNSUITABLE` where others have queues of these names. */
  async ensure(queue: string): Promise<void> {
    await this.#once(queue, queueKey(queue), () => this.#declare(queue))
  }

  /** What workers and keepers of the queue talk through. */
  async ensureControl(queue: string): Promise<void> {
    const { control, members } = this.names(queue)
    await this.#once(queue, `${queue} control`, async () => {
      await this.#together(`the control of ${queue}`, [
        (channel) => channel.assertExchange(control, 'fanout', { durable: true }),
        (channel) => channel.assertQueue(members, { durable: true, arguments: this.markArguments }),
      ])
    })
  }

  /** The way to the work queue without a delay, if that is known to be there. */
  direct(queue: string): Route | undefined {
    const known = this.#direct.get(queue)
    if (known || !this.#ready.has(queueKey(queue))) return known
    const route = { exchange: '', key: this.names(queue).work }
    this.#direct.set(queue, route)
    return route
  }

  /**
   * The way to the work queue, made if need be. Making it takes time: `delay` counts from `since` (epoch ms), or, if that
   * is absent, from when it is there. Never shorter.
   */
  async route(queue: string, delay: number, since?: number): Promise<Route> {
    await this.ensure(queue)
    const names = this.names(queue)
    for (let left = delay; ; ) {
      const digits = digitsOf(left)
      const top = digits.findIndex((digit) => digit > 0)
      if (top < 0) return { exchange: '', key: names.work }
      const steps = digits.flatMap((digit, i) => (digit > 0 ? [[LEVELS - 1 - i, digit] as const] : []))
      const missing = steps.filter(([level, digit]) => !this.#ready.has(stepKey(queue, level, digit)))
      if (missing.length === 0)
        return { exchange: names.delays.exchange(LEVELS - 1 - top), key: [...digits, names.delays.address].join('.') }
      await this.#ensureChain(queue)
      await Promise.all(missing.map(([level, digit]) => this.#ensureStep(queue, level, digit)))
      if (since !== undefined) left = since + delay - Date.now()
    }
  }

  /** After a message came back or a queue was found missing: all is declared again when next needed. */
  forget(queue: string): void {
    this.#direct.delete(queue)
    for (const key of this.#made.keys()) {
      if (!key.startsWith(`${queue} `)) continue
      this.#made.delete(key)
      this.#ready.delete(key)
    }
  }

  /** Messages in the chain of `queue`; 0 for a shared chain, which does not tell whose they are. */
  async delayed(queue: string): Promise<number> {
    if (this.#settings.delays === 'shared') return 0
    const names = await this.steps(queue)
    const found = await this.#calls.find(`counting the delays of ${queue}`, async (channel) => {
      let sum = 0
      for (const name of names) sum += (await tally(channel, name)).messageCount
      return sum
    })
    return found ?? 0
  }

  /** Resolves once nobody removes the queue: a declaration during a removal takes the connection down. */
  async standing(queue: string): Promise<void> {
    await this.#dismantling.over(this.names(queue))
  }

  /** Removes all of it. */
  async drop(queue: string): Promise<void> {
    this.forget(queue)
    const own = this.#settings.delays === 'queue'
    await this.#dismantling.remove(this.names(queue), own ? () => this.steps(queue) : undefined)
    this.forget(queue)
  }

  /** The queues of its delays that exist, the last that a message passes first. */
  async steps(queue: string): Promise<string[]> {
    const { registry, queue: nameOf } = this.names(queue).delays
    const all = stepsOf(nameOf)
    const found = await this.#probes.bound(`looking at the delays of ${queue}`, registry, all)
    return found ?? []
  }

  async #declare(queue: string): Promise<void> {
    const { work, failed, delays } = this.names(queue)
    const deadLetter = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': failed }
    const workArguments = { ...this.#restArguments(), ...deadLetter, ...this.#safely() }
    const what = `queue ${queue}`
    await this.#together(what, [
      (channel) => channel.assertQueue(failed, { durable: true, arguments: this.#restArguments() }),
      (channel) => channel.assertQueue(work, { durable: true, arguments: workArguments }),
      (channel) => channel.assertExchange(delays.out, 'topic', { durable: true, alternateExchange: delays.parking }),
      (channel) => channel.assertExchange(delays.registry, 'direct', { durable: true }),
    ])
    await this.#together(what, [(channel) => channel.bindQueue(work, delays.out, `#.${delays.address}`)])
    await this.#policies.check(this.names(queue))
  }

  async #ensureChain(queue: string): Promise<void> {
    const { work, delays } = this.names(queue)
    // takes what asks whether there is a queue, and keeps nothing
    const empty = { ...this.#quorum(), 'x-max-length': 0 }
    const options = { durable: true, alternateExchange: delays.parking }
    const below = (level: number): string => (level === 0 ? delays.out : delays.exchange(level - 1))
    const what = `the delays of ${queue}`
    await this.#once(queue, `${queue} chain`, async () => {
      await this.#together(what, [
        (channel) => channel.assertExchange(delays.parking, 'fanout', { durable: true }),
        (channel) => channel.assertQueue(this.#chainQueue(delays), { durable: true, arguments: this.#quorum() }),
        (channel) => channel.assertQueue(delays.registry, { durable: true, arguments: empty }),
        ...levels().map((level) => (channel: Channel) => channel.assertExchange(delays.exchange(level), 'topic', options)),
      ])
      await this.#together(what, [
        (channel) => channel.bindQueue(this.#settings.delays === 'shared' ? delays.parking : work, delays.parking, ''),
        ...levels().map(
          (level) => (channel: Channel) => channel.bindExchange(below(level), delays.exchange(level), pattern(level, 0)),
        ),
      ])
      if (this.#settings.delays === 'queue') await this.#watch.keep(delays.watched, () => this.forget(queue))
    })
  }

  /** A shared chain keeps what comes out for a queue that is gone. Any other can be dropped, which its users must hear of. */
  #chainQueue({ parking, watched }: DelayNames): string {
    return this.#settings.delays === 'shared' ? parking : watched
  }

  async #ensureStep(queue: string, level: number, digit: number): Promise<void> {
    const { delays } = this.names(queue)
    await this.#once(queue, stepKey(queue, level, digit), () =>
      this.#do(`the delays of ${queue}`, async (channel) => {
        const name = delays.queue(level, digit)
        const below = level === 0 ? delays.out : delays.exchange(level - 1)
        const wait = { 'x-message-ttl': digit * 16 ** level, 'x-dead-letter-exchange': below }
        await channel.assertQueue(name, { durable: true, arguments: { ...this.#quorum(), ...wait, ...AT_LEAST_ONCE } })
        // before anything can get in
        await channel.bindQueue(delays.registry, delays.registry, name)
        await channel.bindQueue(name, delays.exchange(level), pattern(level, digit))
      }),
    )
  }

  /** A channel has one call under way at a time: each goes over one of its own, so that all take one round trip. */
  async #together(what: string, calls: readonly ((channel: Channel) => Promise<unknown>)[]): Promise<void> {
    const settled = await Promise.allSettled(calls.map((call) => this.#do(what, call)))
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
  }

  async #do(what: string, call: (channel: Channel) => Promise<unknown>): Promise<void> {
    try {
      await this.#calls.run(`declaring ${what}`, call)
    } catch (error) {
      const { cause, message } = error as JobportError
      if (!isForeign(cause)) throw error
      throw new JobportError('SERVER_UNSUITABLE', `${message}; something else of that name stands on the broker`, { cause })
    }
  }

  #once(queue: string, key: string, make: () => Promise<void>): Promise<void> {
    const made = this.#made.get(key)
    if (made) return made
    const making = this.standing(queue).then(make)
    this.#made.set(key, making)
    making.then(
      () => this.#made.get(key) === making && this.#ready.add(key),
      () => this.#made.get(key) === making && this.#made.delete(key),
    )
    return making
  }

  /** No limit of deliveries: core counts the crashes, and looking at dead letters hands them out too. */
  #restArguments(): Record<string, unknown> {
    if (this.#settings.queueType === 'classic') return { 'x-queue-type': 'classic' }
    return { ...this.#quorum(), 'x-delivery-limit': -1, 'x-consumer-disconnected-timeout': NODE_LOST }
  }

  #quorum(): Record<string, unknown> {
    const { replicas } = this.#settings
    return { 'x-queue-type': 'quorum', ...(replicas !== undefined && { 'x-quorum-initial-group-size': replicas }) }
  }

  #safely(): Record<string, unknown> {
    return this.#settings.queueType === 'classic' ? {} : AT_LEAST_ONCE
  }
}

/** For how long a consumer keeps what it holds once its node of the cluster is gone, ms. RabbitMQ's own default is a minute. */
const NODE_LOST = 5_000

/** Without it a killed broker loses what is on its way between two queues. */
const AT_LEAST_ONCE = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' }

function queueKey(queue: string): string {
  return `${queue} queue`
}

function stepKey(queue: string, level: number, digit: number): string {
  return `${queue} step ${level} ${digit}`
}
