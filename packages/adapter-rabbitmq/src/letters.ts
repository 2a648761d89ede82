import { JobportError } from '@jobport/core/driver'
import type { Channel, ConsumeMessage } from 'amqplib'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { deadNoteOf, fromWire, type DeadNote, type Reading } from './mapping.ts'
import { tally } from './tally.ts'
import type { Calls } from './calls.ts'
import type { Link } from './link.ts'

/** A dead letter in hand; still in its queue for everybody else's purposes. */
export interface Letter {
  readonly raw: ConsumeMessage
  readonly reading: Reading
  readonly dead: DeadNote
}

const MOST_IN_HAND = 65_535
/** ms. */
const SCAN_DEADLINE = 6_000
const TURN_DEADLINE = 5_000
const SETTLED_DEADLINE = 1_000
const CALL_DEADLINE = 5_000
const POLL = 5
/** Nothing comes any more. */
const QUIET = 500
/** How long it keeps the letters in hand after a look, in case there is another. */
const IDLE = 20

/**
 * The dead letters of a queue. A queue can only be read by taking: all letters are taken, looked at and put back in
 * their place, by one reader at a time; nobody else's count or list misses any.
 */
export class Letters {
  readonly #link: Link
  readonly #calls: Calls
  readonly #queue: string
  #last: Promise<unknown> = Promise.resolve()
  #look: Look | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(link: Link, calls: Calls, queue: string) {
    this.#link = link
    this.#calls = calls
    this.#queue = queue
  }

  count(): Promise<number> {
    return this.#next(async () => {
      await this.#putBack()
      return (await this.#settled())?.count ?? 0
    })
  }

  /** All, newest first. */
  read<T>(use: (letters: readonly Letter[]) => Promise<T>): Promise<T> {
    return this.#looking(async (look) => {
      await look.all()
      return use(look.newestFirst())
    })
  }

  /** The newest of those that are wanted; `acknowledge` takes it out for good. If one is in hand, no other is waited for. */
  one<T>(
    wanted: (letter: Letter) => boolean,
    use: (letter: Letter | undefined, acknowledge: (letter: Letter) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    return this.#looking(async (look) => {
      let [letter] = look.newestFirst(wanted)
      if (!letter) {
        await look.all()
        letter = look.newestFirst(wanted)[0]
      }
      return use(letter, (acknowledged) => look.remove(acknowledged))
    })
  }

  #looking<T>(use: (look: Look) => Promise<T>): Promise<T> {
    return this.#next(async () => {
      clearTimeout(this.#idle)
      try {
        this.#look = this.#look?.isOpen ? this.#look : await this.#take()
        return await use(this.#look)
      } catch (error) {
        throw toJobportError(error, `reading ${this.#queue}`)
      } finally {
        this.#idle = setTimeout(() => void this.#next(() => this.#putBack()).catch(() => {}), IDLE)
      }
    })
  }

  /** Takes all of them out for good, those in nobody else's hands, and answers which. */
  async purge(): Promise<readonly Letter[]> {
    const purged: Letter[] = []
    for (let some: readonly Letter[]; ; purged.push(...some)) {
      some = await this.#looking(async (look) => {
        await look.all()
        return look.removeAll()
      })
      if (some.length < MOST_IN_HAND) return [...purged, ...some]
    }
  }

  close(): Promise<void> {
    return this.#next(() => this.#putBack()).catch(() => {})
  }

  async #putBack(): Promise<void> {
    clearTimeout(this.#idle)
    const look = this.#look
    this.#look = undefined
    await look?.close()
  }

  /** Waits for whoever is reading to put them back; `readers`, if they do not in time. `undefined` without a queue. */
  async #settled(): Promise<{ count: number; readers: number } | undefined> {
    const end = Date.now() + TURN_DEADLINE
    for (;;) {
      const found = await this.#calls.find(`counting ${this.#queue}`, (channel) => tally(channel, this.#queue))
      if (!found) return undefined
      const { messageCount: count, consumerCount: readers } = found
      if (readers === 0 || Date.now() > end) return { count, readers }
      await pause(POLL * (1 + Math.random()))
    }
  }

  /** One reader at a time, of all processes: the subscription is exclusive. */
  async #take(): Promise<Look> {
    const end = Date.now() + TURN_DEADLINE
    for (;;) {
      const found = await this.#settled()
      const look = new Look(await this.#link.channel(), this.#queue)
      try {
        if (!found || (found.count + found.readers === 0 && (await look.isEmpty()))) await look.close()
        else await look.open(found.count)
        return look
      } catch (error) {
        await look.close()
        if (!/exclusive/i.test((error as Error).message) || Date.now() > end) throw error
      }
      await pause(POLL * (1 + Math.random()))
    }
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#last.then(step)
    this.#last = done.catch(() => {})
    return done
  }
}

/** All letters in our hands, on a channel of their own. */
class Look {
  readonly #channel: Channel
  readonly #queue: string
  readonly #letters: Letter[] = []
  #expected = 0
  #removed = 0
  #tag: string | undefined
  #isClosed = false

  constructor(channel: Channel, queue: string) {
    this.#channel = channel
    this.#queue = queue
    channel.once('close', () => (this.#isClosed = true))
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** As the queue's leader says, without which RabbitMQ counts none. */
  async isEmpty(): Promise<boolean> {
    const found = await within(CALL_DEADLINE, 'reading', this.#channel.get(this.#queue))
    if (found) this.#channel.nack(found)
    return !found
  }

  async open(expected: number): Promise<void> {
    this.#expected = expected
    const receive = (raw: ConsumeMessage | null): void => {
      if (!raw) return void this.close()
      const reading = fromWire(raw)
      this.#letters.push({ raw, reading, dead: deadNoteOf(reading, raw) })
    }
    await within(CALL_DEADLINE, 'reading', this.#channel.prefetch(MOST_IN_HAND))
    const { consumerTag } = await within(
      CALL_DEADLINE,
      'reading',
      this.#channel.consume(this.#queue, receive, { exclusive: true }),
    )
    this.#tag = consumerTag
  }

  /** Resolves once all that lie in the queue are in hand. */
  async all(): Promise<void> {
    if (this.#tag === undefined) return
    const end = Date.now() + SCAN_DEADLINE
    for (let quietSince = Date.now(), before = -1; !this.#isClosed; ) {
      const { messageCount } = await within(CALL_DEADLINE, 'reading', tally(this.#channel, this.#queue))
      const here = this.#letters.length + this.#removed
      // what the queue had handed out by the time of one answer has come by the time of the next
      const isStill = here === before && messageCount === 0
      if (!isStill) quietSince = Date.now()
      before = here
      // the reader before us may have taken some out for good
      const isComplete = here >= this.#expected || Date.now() - quietSince > QUIET
      if ((isStill && isComplete) || this.#letters.length >= MOST_IN_HAND) return
      if (Date.now() > end)
        throw new JobportError('UNAVAILABLE', `only ${here} of ${this.#expected} dead letters came within ${SCAN_DEADLINE} ms`)
      await pause(POLL)
    }
    throw new JobportError('UNAVAILABLE', 'the broker closed the channel on which dead letters were read')
  }

  newestFirst(wanted: (letter: Letter) => boolean = () => true): Letter[] {
    const found = this.#letters.filter(wanted)
    const place = new Map(found.map((letter, index) => [letter, index]))
    return found.toSorted(
      (a, b) => b.dead.at - a.dead.at || compare(b.dead.letter, a.dead.letter) || place.get(b)! - place.get(a)!,
    )
  }

  async remove(letter: Letter): Promise<void> {
    const at = this.#letters.indexOf(letter)
    if (at < 0) return
    this.#channel.ack(letter.raw)
    this.#letters.splice(at, 1)
    this.#removed++
    await within(CALL_DEADLINE, 'removing', this.#channel.prefetch(MOST_IN_HAND))
  }

  async removeAll(): Promise<readonly Letter[]> {
    const all = this.#letters.splice(0)
    if (all.length === 0) return all
    this.#channel.ack(all.at(-1)!.raw, true)
    this.#removed += all.length
    await within(CALL_DEADLINE, 'removing', this.#channel.prefetch(MOST_IN_HAND))
    return all
  }

  /** Puts back what is left. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      if (this.#tag !== undefined) {
        // at once: whoever sees no reader any more must see all letters
        const cancelling = this.#channel.cancel(this.#tag)
        this.#channel.nackAll(true)
        await within(CALL_DEADLINE, 'putting back', cancelling)
        this.#channel.nackAll(true)
        await this.#settled()
      }
      await within(CALL_DEADLINE, 'closing a channel', this.#channel.close())
    } catch {
      // the broker puts them back by itself
    }
  }

  /** Until then a count would miss some. */
  async #settled(): Promise<void> {
    const end = Date.now() + SETTLED_DEADLINE
    while (Date.now() < end) {
      const { messageCount } = await within(CALL_DEADLINE, 'putting back', tally(this.#channel, this.#queue))
      if (messageCount >= this.#letters.length) return
      await pause(POLL)
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
