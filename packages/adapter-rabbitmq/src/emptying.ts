import { setTimeout as pause } from 'node:timers/promises'
import { markIn } from './app-id.ts'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { tally } from './tally.ts'
import type { Channel, ConsumeMessage } from 'amqplib'
import type { Calls } from './calls.ts'
import type { LedgerApi } from './ledger/api.ts'
import type { Link } from './link.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

/** In our hands at a time. A shared chain holds jobs of other queues, all of which are kept until its end. */
const IN_HAND = 1_000
const IN_HAND_SHARED = 65_535
/** Before all workers. */
const FIRST = 10
/** ms. */
const CALL_DEADLINE = 5_000
const POLL = 5
/** Longer than a message takes from one queue to the next, ms. */
const MOVING = 30
/** Looks, as long as something moves. */
const LOOKS = 3

type Fate = 'plain' | 'tomb' | 'kept'

/** Takes the jobs that only the queues know out of these, and what the ledger says is over; what it says lives stays. */
export class Emptying {
  readonly #link: Link
  readonly #calls: Calls
  readonly #topology: Topology
  readonly #settings: Settings

  constructor(link: Link, calls: Calls, topology: Topology, settings: Settings) {
    this.#link = link
    this.#calls = calls
    this.#topology = topology
    this.#settings = settings
  }

  /** Returns how many jobs that only the queues knew were removed. A job that a worker has in hand stays. */
  async run(queue: string, ledger: LedgerApi | undefined): Promise<number> {
    let sum = 0
    for (let look = 1; ; look++) {
      // highest first: what moves on meanwhile is met again
      const steps = (await this.#topology.steps(queue)).toReversed()
      let found = 0
      // a purge would also count those that are just moving on
      for (const name of steps) found += await this.#drain(queue, name, ledger)
      sum += found
      const { work } = this.#topology.names(queue)
      sum += ledger ? await this.#drain(queue, work, ledger) : await this.#purge(work)
      if (found === 0 || look === LOOKS) return sum
      await pause(MOVING)
    }
  }

  async #purge(name: string): Promise<number> {
    const purged = await this.#calls.find(`emptying ${name}`, (channel) => channel.purgeQueue(name))
    return purged?.messageCount ?? 0
  }

  async #drain(queue: string, name: string, ledger: LedgerApi | undefined): Promise<number> {
    const found = await this.#calls.find(`emptying ${name}`, (channel) => tally(channel, name))
    if (!found || found.messageCount === 0) return 0
    const channel = await this.#link.channel()
    try {
      const drained = new Draining(channel, name, (raw) => this.#fate(queue, raw, ledger))
      return await drained.run(found.messageCount, this.#settings.delays === 'shared' ? IN_HAND_SHARED : IN_HAND, ledger)
    } catch (error) {
      throw toJobportError(error, `emptying ${name}`)
    } finally {
      await within(CALL_DEADLINE, 'closing a channel', closing(channel)).catch(() => {})
    }
  }

  #fate(queue: string, { fields, properties }: ConsumeMessage, ledger: LedgerApi | undefined): Fate {
    const { delays } = this.#topology.names(queue)
    const isOthers =
      this.#settings.delays === 'shared' && fields.exchange !== '' && !fields.routingKey.endsWith(`.${delays.address}`)
    if (isOthers) return 'kept'
    const fate = typeof properties.messageId === 'string' ? ledger?.state.fate(properties.messageId) : undefined
    if (fate) return fate.kind === 'tomb' ? 'tomb' : 'kept'
    // its claim may be on its way
    return ledger && markIn(properties.appId)?.ledger ? 'kept' : 'plain'
  }
}

/** Takes what is in a queue and gives back what is to stay. */
class Draining {
  readonly #channel: Channel
  readonly #name: string
  readonly #fate: (raw: ConsumeMessage) => Fate
  readonly #dropped: ConsumeMessage[] = []
  #seen = 0
  #removed = 0

  constructor(channel: Channel, name: string, fate: (raw: ConsumeMessage) => Fate) {
    this.#channel = channel
    this.#name = name
    this.#fate = fate
  }

  /** What comes in meanwhile stays, beyond the first `most`. */
  async run(most: number, inHand: number, ledger: LedgerApi | undefined): Promise<number> {
    await this.#call(this.#channel.prefetch(inHand))
    const receive = (raw: ConsumeMessage | null): void => {
      if (raw && this.#seen < most) this.#meet(raw)
    }
    const { consumerTag } = await this.#call(this.#channel.consume(this.#name, receive, { priority: FIRST }))
    for (let before = -1; this.#seen < most; before = this.#seen) {
      const { messageCount } = await this.#call(this.#channel.checkQueue(this.#name))
      if (messageCount === 0 && this.#seen === before) break
      await pause(POLL)
    }
    await this.#call(this.#channel.cancel(consumerTag))
    await Promise.all(this.#dropped.map(async (raw) => ledger?.append(dropping(raw))))
    for (const raw of this.#dropped) this.#channel.ack(raw)
    this.#channel.nackAll(true)
    await this.#call(this.#channel.prefetch(inHand))
    return this.#removed
  }

  #meet(raw: ConsumeMessage): void {
    this.#seen++
    const fate = this.#fate(raw)
    if (fate === 'tomb') this.#dropped.push(raw)
    if (fate !== 'plain') return
    this.#channel.ack(raw)
    this.#removed++
  }

  #call<T>(call: Promise<T>): Promise<T> {
    return within(CALL_DEADLINE, `emptying ${this.#name}`, call)
  }
}

function dropping({ properties }: ConsumeMessage): { type: 'dropped'; uid: string; copy: string } {
  const uid = String(properties.messageId)
  return { type: 'dropped', uid, copy: markIn(properties.appId)?.copy ?? uid }
}

async function closing(channel: Channel): Promise<void> {
  // a channel that is closed already throws
  await channel.close()
}
