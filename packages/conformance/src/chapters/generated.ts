import * as fc from 'fast-check'
import { expect, failed, quiet, until } from '../assert.ts'
import { backoffOf, drawsFor, perform, type Draw } from '../draws.ts'
import { Pulse } from '../pulse.ts'
import { patiently } from '../wait.ts'
import type { Job, JobView, Queue, Worker } from '@jobport/core'
import type { Case } from '../case.ts'
import type { AnyJobs, Context } from '../context.ts'

/** Jobs that are drawn in all, at most at once, and the ordinary ones among these. */
const DRAWN = 2_000
const BATCH = 300
const GOOD = 20
const CONCURRENCY = 10
/** Batches, should all be small. */
const RUNS = 500
/** A wait longer than that is not waited for, ms. */
const FAR = 60_000
/** When nothing has happened for so long, nothing will, ms: far longer than any shorter wait. */
const STILL = 5_000
const ENDING = 60_000
/** After that, what is smallest so far counts, ms. */
const LIMIT = 100_000
/** Of what is stored of an error, bytes of its JSON text. */
const KEPT = { name: 256, message: 4_096, stack: 16_384 } as const
/** Whose return is no return: to wait for them throws. */
const THENABLES = ['thenable', 'proxy', 'revoked']

interface Payload {
  /** Absent: an ordinary job. */
  readonly n?: number
}

export const generated: readonly Case[] = [
  {
    id: 'SET-01',
    title:
      'whatever handlers throw, return and ask for: every job ends or waits, no slot is lost, the ordinary ones run once; 2,000 drawn',
    run: async (ctx) => {
      let drawn = 0
      let isBroken = false
      const pulse = new Pulse(ctx.another('pulse'))
      const batches = fc.array(drawsFor(ctx.features), { minLength: 1, maxLength: BATCH, size: 'max' })
      const property = fc.asyncProperty(batches, async (batch) => {
        if (drawn >= DRAWN && !isBroken) return
        drawn += batch.length
        await survives(batch, ctx, pulse).catch((error: unknown) => {
          isBroken = true
          throw error
        })
      })
      const seed = Math.floor(ctx.random() * 2 ** 31)
      const limit = { interruptAfterTimeLimit: patiently(LIMIT), timeout: patiently(ENDING + FAR) }
      const {
        failed: isFailed,
        counterexample,
        errorInstance,
      } = await fc.check(property, { seed, numRuns: RUNS, plugins: [fc.unbiased()], ...limit })
      await pulse.stop()
      if (isFailed) {
        const { message } = errorInstance as Error
        failed(
          `${message}; the smallest that was found to break, under the seed ${seed}: ${fc.stringify((counterexample as [unknown] | null)?.[0])}`,
        )
      }
      expect(drawn, 'values drawn in time').to.be.at.least(DRAWN)
    },
  },
]

/** Works a queue of such jobs, and asserts what must hold for any of them. */
async function survives(batch: readonly Draw[], ctx: Context, pulse: Pulse): Promise<void> {
  const queue = ctx.another('drawn')
  const trial = new Trial(batch, ctx, { queue, pulse })
  try {
    await trial.add()
    await trial.ends()
    await trial.isRight()
    await trial.hasItsSlots()
  } finally {
    await trial.close()
  }
}

class Trial {
  readonly #batch: readonly Draw[]
  readonly #ctx: Context
  readonly #queue: Queue<AnyJobs>
  readonly #worker: Worker<AnyJobs>
  readonly #runs = new Map<number, number>()
  readonly #ends = new Map<number, 'completed' | 'dead' | 'far'>()
  readonly #good: string[] = []
  /** Crashes of each job, by its id, as its last run saw them: they stay with it over its retries. */
  readonly #crashes = new Map<string, number>()
  /** When runs began whose lease had been lost before, which nothing here has caused; epoch ms. */
  readonly #lost: number[] = []
  readonly #began = Date.now()
  readonly #pulse: Pulse
  readonly #waits: number[] = []
  readonly #gate = Promise.withResolvers<void>()
  #gated = 0
  #changedAt = performance.now()

  constructor(batch: readonly Draw[], ctx: Context, { queue, pulse }: { queue: Queue<AnyJobs>; pulse: Pulse }) {
    const { main, features } = ctx
    this.#batch = batch
    this.#ctx = ctx
    this.#queue = queue
    this.#pulse = pulse
    for (const [n, { options }] of batch.entries()) if (features.delay && (options.delay ?? 0) > FAR) this.#ends.set(n, 'far')
    const backoff = (_attempt: number, _error: Error, job: Job): ReturnType<typeof backoffOf> => backoffOf(batch[numberOf(job)!]!)
    this.#worker = main.worker<AnyJobs>(queue.name, (job) => this.#handle(job), { concurrency: CONCURRENCY, backoff })
    // what they complain of is not looked at here
    this.#worker.on('error', () => {})
    this.#worker.on('completed', (job) => this.#end(job, 'completed'))
    this.#worker.on('dead', (job) => this.#end(job, 'dead'))
    this.#worker.on('failed', (job, _error, retryIn) => {
      this.#changedAt = performance.now()
      if (retryIn !== null) this.#waits.push(retryIn)
      if (retryIn !== null && retryIn > FAR) this.#end(job, 'far')
    })
  }

  /** The good ones stand among the others. */
  async add(): Promise<void> {
    const every = Math.ceil(this.#batch.length / GOOD)
    const adds = this.#batch.flatMap(({ name, options: { id, ...rest } }, n) => [
      this.#queue.add(name, { n }, { ...rest, ...(id !== undefined && { id: `${n} ${id}` }) }),
      ...(n % every === 0 ? [this.#queue.add('good', {}, { id: `good ${n}` })] : []),
    ])
    const receipts = await Promise.all(adds)
    expect(receipts.every(({ added }) => added)).to.equal(true)
  }

  async ends(): Promise<void> {
    const wanted = this.#batch.length
    const good = Math.ceil(wanted / Math.ceil(wanted / GOOD))
    const done = (): boolean => this.#ends.size === wanted && new Set(this.#good).size === good
    this.#changedAt = performance.now()
    await until(
      () => done() || performance.now() - this.#changedAt > patiently(STILL),
      'the ends of all jobs',
      () => this.#open(),
      ENDING,
    )
    expect(this.#open(), 'jobs that neither ended nor wait').to.deep.equal([])
    expect(new Set(this.#good).size, 'ordinary jobs that ran').to.equal(good)
  }

  async isRight(): Promise<void> {
    const { counted, features } = this.#ctx
    const tally = (end: string): number => [...this.#ends.values()].filter((each) => each === end).length
    await counted({ waiting: 0, active: 0, delayed: tally('far'), dead: tally('dead') }, this.#queue)
    expect(this.#good.length, 'runs of ordinary jobs').to.equal(new Set(this.#good).size)
    const odd = this.#lost.filter((at) => !this.#pulse.wasLate(this.#began, at))
    expect(odd, 'runs of jobs whose lease was lost, though nothing was done to it').to.deep.equal([])
    for (const [n, { act, value }] of this.#batch.entries()) {
      if (act !== 'return' || THENABLES.includes(value.kind) || this.#ends.get(n) === 'far') continue
      expect([this.#runs.get(n), this.#ends.get(n)], `runs and end of the job that returns ${fc.stringify(value)}`).to.deep.equal(
        [1, 'completed'],
      )
    }
    for (const ms of this.#waits) {
      expect(ms, 'a wait before a retry, ms').to.be.at.least(0)
      if (features.delay) expect(ms, 'a wait before a retry, ms').to.be.at.most(features.delay.max)
    }
    await this.#areKept()
  }

  /** As many jobs as there are slots must be able to run at once. */
  async hasItsSlots(): Promise<void> {
    await this.#queue.addMany(Array.from({ length: CONCURRENCY }, () => ({ name: 'gate', data: null })))
    await until(
      () => this.#gated === CONCURRENCY,
      'a job in each slot',
      () => this.#gated,
      STILL,
    )
    this.#gate.resolve()
    await until(
      () => this.#worker.running === 0,
      'no job in hand',
      () => this.#worker.running,
    )
    await quiet(20, 'another run', () => this.#runs.size)
  }

  async close(): Promise<void> {
    this.#gate.resolve()
    await this.#worker.stop({ timeout: 0 })
    await this.#queue.drop()
  }

  #handle(job: Job): unknown {
    this.#changedAt = performance.now()
    if (job.name === 'gate') return this.#waitAtGate()
    const n = numberOf(job)
    const isLost = job.crashes > (this.#crashes.get(job.id) ?? 0)
    this.#crashes.set(job.id, job.crashes)
    if (isLost) this.#lost.push(Date.now())
    if (n === undefined) {
      if (!isLost || !this.#good.includes(job.id)) this.#good.push(job.id)
      return undefined
    }
    const before = this.#runs.get(n) ?? 0
    // a lease may be lost before the first run too
    const runs = isLost && before > 0 ? before : before + 1
    this.#runs.set(n, runs)
    const draw = this.#batch[n]!
    if (runs > draw.runs) return undefined
    return n % 2 === 0 ? perform(draw) : Promise.resolve().then(() => perform(draw))
  }

  async #waitAtGate(): Promise<void> {
    this.#gated++
    await this.#gate.promise
  }

  #end(job: Job, end: 'completed' | 'dead' | 'far'): void {
    this.#changedAt = performance.now()
    const n = numberOf(job)
    if (n !== undefined) this.#ends.set(n, end)
  }

  #open(): unknown[] {
    return this.#batch.flatMap((draw, n) => (this.#ends.has(n) ? [] : [{ n, runs: this.#runs.get(n) ?? 0, draw }])).slice(0, 3)
  }

  async #areKept(): Promise<void> {
    let cursor: string | undefined
    do {
      const page = await this.#queue.deadLetters.list({ limit: 100, ...(cursor !== undefined && { cursor }) })
      for (const job of page.jobs) isKept(job)
      cursor = page.cursor
    } while (cursor !== undefined)
  }
}

function numberOf({ data }: Job): number | undefined {
  return (data as Payload | null)?.n
}

/** What is stored of its error is text that every broker can hold, within limits. */
function isKept({ error, id }: JobView): void {
  for (const [part, limit] of Object.entries(KEPT)) {
    const text = error![part as 'name'] as string | undefined
    if (part === 'stack' && text === undefined) continue
    expect(text, `${part} of ${id}`).to.be.a('string')
    expect(text!.isWellFormed() && !text!.includes('\0'), `${part} of ${id} is well formed`).to.equal(true)
    expect(Buffer.byteLength(JSON.stringify(text)) - 2, `${part} of ${id}, bytes of JSON`).to.be.at.most(limit)
  }
}
