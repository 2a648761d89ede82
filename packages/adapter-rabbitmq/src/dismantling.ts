import { setTimeout as pause } from 'node:timers/promises'
import { JobportError } from '@jobport/core/driver'
import { DIGITS, levels, stepsOf } from './delay-steps.ts'
import { isLocked } from './faults.ts'
import type { Calls } from './calls.ts'
import type { Names } from './names.ts'

/** A process that was told that nobody removes the queue has declared what it wanted within this time, ms. */
const ANSWERED = 400
/** Such an answer holds for so long, ms. */
const FRESH = 150
const POLL = 50
/** How long a declaration waits for the end of a removal, ms; and a removal for that of another. */
const DEADLINE = 7_000
/** Tries, and ms between them. */
const TRIES = 5
const RECONNECTION = 500

/**
 * Takes queues off the broker. While that goes on, a queue of the name `dropping` says so, and nobody declares anything of
 * theirs: RabbitMQ 4.3 ends the connection (541) of a client that binds what is just being deleted, or consumes from it. That
 * queue is exclusive, and so it goes with the connection of the one that removes.
 */
export class Dismantling {
  readonly #calls: Calls
  /** By work queue: when a question began that was answered with "nobody removes it". */
  readonly #free = new Map<string, number>()
  readonly #looking = new Map<string, Promise<void>>()

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** Resolves once nobody removes the queue. Rejects with `UNAVAILABLE` if that takes too long. */
  over({ work, dropping }: Names): Promise<void> {
    if (performance.now() - (this.#free.get(work) ?? -Infinity) < FRESH) return Promise.resolve()
    const looking = this.#looking.get(work)
    if (looking) return looking
    const look = this.#wait(work, dropping).finally(() => this.#looking.delete(work))
    this.#looking.set(work, look)
    return look
  }

  async #wait(work: string, dropping: string): Promise<void> {
    for (const end = Date.now() + DEADLINE; ; await pause(POLL)) {
      const asked = performance.now()
      if (!(await this.#isMarked(dropping))) return void this.#free.set(work, asked)
      if (Date.now() > end) throw new JobportError('UNAVAILABLE', `${work} is being removed`)
    }
  }

  /** `steps`: which delay queues there are; `undefined`: the delays are not its own. */
  async remove(names: Names, steps: (() => Promise<readonly string[]>) | undefined): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#remove(names, steps)
      } catch (error) {
        if ((error as JobportError).code !== 'UNAVAILABLE' || tries === TRIES) throw error
        await pause(RECONNECTION)
      }
    }
  }

  async #remove(names: Names, steps: (() => Promise<readonly string[]>) | undefined): Promise<void> {
    const { work, failed, ledger, control, members, paused, dropping } = names
    await this.#mark(dropping)
    try {
      if (await this.#isThere(work)) await pause(ANSWERED)
      await this.#delete(work, [work, failed, members, paused, ledger], [control])
      if (steps) await this.#removeChain(names, await steps().catch(() => stepsOf(names.delays.queue)))
    } finally {
      await this.#delete(work, [dropping], []).catch(() => {})
    }
  }

  async #removeChain({ work, delays }: Names, steps: readonly string[]): Promise<void> {
    for (let from = 0; from < steps.length; from += DIGITS) await this.#delete(work, steps.slice(from, from + DIGITS), [])
    const exchanges = [...levels().map((level) => delays.exchange(level)), delays.out, delays.registry, delays.parking]
    await this.#delete(work, [delays.registry, delays.parking, delays.watched], exchanges)
  }

  async #delete(what: string, queues: readonly string[], exchanges: readonly string[]): Promise<void> {
    await this.#calls.run(`removing ${what}`, async (channel) => {
      await Promise.all(queues.map((name) => channel.deleteQueue(name)))
      await Promise.all(exchanges.map((name) => channel.deleteExchange(name)))
    })
  }

  /** Waits for the end of another removal. */
  async #mark(dropping: string): Promise<void> {
    for (const end = Date.now() + DEADLINE; ; await pause(POLL)) {
      try {
        await this.#calls.run(`declaring ${dropping}`, (channel) => channel.assertQueue(dropping, { exclusive: true }))
        return
      } catch (error) {
        if (!isLocked((error as JobportError).cause)) throw error
        if (Date.now() > end) throw new JobportError('UNAVAILABLE', `${dropping}: another removal goes on`, { cause: error })
      }
    }
  }

  async #isMarked(dropping: string): Promise<boolean> {
    try {
      return await this.#isThere(dropping)
    } catch (error) {
      if (isLocked((error as JobportError).cause)) return true
      throw error
    }
  }

  async #isThere(queue: string): Promise<boolean> {
    return (await this.#calls.find(`looking for ${queue}`, (channel) => channel.checkQueue(queue))) !== undefined
  }
}
