import { JobportError, type Broker, type Job } from '@jobport/core'
import { expect, until } from './assert.ts'
import { patiently, pause } from './wait.ts'
import type { Context } from './context.ts'
import { violations, type Added } from './history.ts'

/** Time between two adds of a producer, ms. */
const PACE = 10
/** Longer than any case: a repeated add is refused even if its job has come and gone meanwhile. */
const WINDOW = 120_000
/** Of each add: it ends in this time, broker or not, ms. */
const DEADLINE = 2_000
/** What an add may take beyond its deadline on a busy machine, ms. */
const GRACE = 1_500
/** Every fifth job fails at first. */
const FAILING = 5
const ATTEMPTS = 3
/** Starts that faults may cost a job. */
const CRASHES = 3

interface Options {
  readonly producers?: number
  readonly workers?: number
  /** Default: clients of their own, straight to the broker. */
  readonly client?: () => Broker
}

/**
 * Producers that add one job after the other, and workers that work them, while a case does something to the broker. Jobs
 * have ids of their own and a dedup window, so that an add whose answer was lost is repeated until it is answered.
 */
export class Load {
  readonly accepted: Added[] = []
  /** Of all adds that were refused: their codes. */
  readonly refusals: string[] = []
  /** Of the adds, the longest, ms. */
  slowest = 0
  readonly #ctx: Context
  readonly #options: Required<Options>
  /** Uids whose handler has returned. */
  readonly #done = new Set<string>()
  #producing: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(ctx: Context, { producers = 2, workers = 2, client = () => ctx.broker() }: Options = {}) {
    this.#ctx = ctx
    this.#options = { producers, workers, client }
  }

  /** Resolves once jobs flow. */
  async start(): Promise<void> {
    const { work, queue, story } = this.#ctx
    const { producers, workers, client } = this.#options
    for (let i = 0; i < workers; i++) {
      const options = { concurrency: 5 }
      const handler = ({ uid, data, attempt }: Job): void => {
        if ((data as number) % FAILING === 0 && attempt === 1) throw new Error('at first')
        this.#done.add(uid)
      }
      await work(handler, options, { queue: queue.name, broker: client() })
    }
    this.#producing = Promise.all(Array.from({ length: producers }, (_, i) => this.#produce(client(), i)))
    await until(
      () => story.of('completed').length >= 10,
      'the first completions',
      () => story.tally(),
    )
  }

  /** Waits until `count` more jobs have completed; answers how long that took, ms. */
  async flows(deadline: number, count: number = 10): Promise<number> {
    const { story } = this.#ctx
    const start = performance.now()
    const before = story.of('completed').length
    await until(
      () => story.of('completed').length >= before + count,
      `${count} more completions`,
      () => ({ ...story.tally(), accepted: this.accepted.length, refusals: this.refusals.slice(-3) }),
      deadline,
    )
    return performance.now() - start
  }

  /** Ends the producers, waits until every accepted job has run, and judges it all. Duplicates are excused. */
  async drain(deadline: number): Promise<void> {
    this.#stopped = true
    await this.#producing
    const { story, counted } = this.#ctx
    const missing = (): string[] => this.accepted.filter(({ uid }) => !this.#done.has(uid)).map(({ id }) => id)
    await until(
      () => missing().length === 0,
      'a run of every accepted job',
      () => ({ missing: missing().slice(0, 10), ...story.tally(), accepted: this.accepted.length }),
      deadline,
    )
    await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 }, undefined, deadline)
    const told = new Set(story.of('completed').map(({ uid }) => uid))
    // what nobody was told of has completed all the same: it has run, and is no more
    const untold = [...this.#done].filter((uid) => !told.has(uid))
    const events = [...this.accepted, ...story.history(), ...untold.map((uid) => ({ type: 'completed' as const, uid }))]
    const found = violations({ events, live: [], dead: [] }, { duplicates: Infinity, crashLimit: CRASHES })
    expect(found, found.map(({ rule, uid, detail }) => `${rule}: ${uid} ${detail}`).join('; ')).to.deep.equal([])
    expect(this.slowest, 'the longest add, ms').to.be.below(patiently(DEADLINE + GRACE))
  }

  async #produce(broker: Broker, number: number): Promise<void> {
    const queue = broker.queue(this.#ctx.queue.name)
    for (let i = 0; !this.#stopped; i++) {
      const id = `load-${number}-${i}`
      const options = { id, attempts: ATTEMPTS, dedup: { ttl: WINDOW }, deadline: DEADLINE }
      for (;;) {
        const start = performance.now()
        const receipt = await queue.add('a', i, options).catch((error: unknown) => {
          if (!(error instanceof JobportError)) throw error
          this.refusals.push(error.code)
        })
        this.slowest = Math.max(this.slowest, performance.now() - start)
        if (receipt?.uid !== undefined) this.accepted.push({ type: 'added', uid: receipt.uid, id, attempts: ATTEMPTS })
        if (receipt) break
        await pause(PACE)
      }
      await pause(PACE)
    }
  }
}
