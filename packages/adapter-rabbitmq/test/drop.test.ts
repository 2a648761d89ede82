import { expect } from 'chai'
import { eventually, Trial } from './trial.ts'
import type { Broker } from '@jobport/core'

const ROUNDS = 40
/** From this round on with jobs of the ledger, whose processes need two seconds to see that it is another one. */
const KNOWN = 31
/** ms. */
const DELAY = 0x111
/** Of the chain of delays, each of which the delay takes. */
const STEPS = [
  [2, 1],
  [1, 1],
  [0, 1],
] as const

describe('RabbitMQ, a queue that is removed while it is worked', function () {
  this.timeout(240_000)
  let trial: Trial

  beforeEach(() => (trial = new Trial()))
  afterEach(() => trial.close())

  /** Adds plain, given and delayed jobs until it is told to stop. */
  async function adding(broker: Broker, withIds: boolean, signal: AbortSignal): Promise<void> {
    const queue = broker.queue(trial.name)
    const retried = { attempts: 3, backoff: { type: 'fixed', delay: 20 } } as const
    for (let n = 0; !signal.aborted; n += 20) {
      const adds = Array.from({ length: 20 }, (_, i) =>
        queue.add('a', n + i, {
          ...retried,
          ...(i % 4 === 0 && { delay: 30 + i }),
          ...(withIds && i % 2 === 0 && { id: `job-${n + i}` }),
        }),
      )
      await Promise.allSettled(adds)
    }
  }

  it(`takes no connection down in ${ROUNDS} rounds, and works again`, async () => {
    const brokers = [trial.broker(), trial.broker()] as const
    const [working, tending] = brokers
    const downs: string[] = []
    for (const broker of brokers) broker.on('down', (error) => void downs.push(error.message))
    let ran = 0
    let fresh = ''
    const seen = new Set<unknown>()
    const handler = ({ data, attempt }: { data: unknown; attempt: number }): void => {
      seen.add(data)
      if (++ran % 3 === 0 && attempt === 1) throw new Error('on purpose')
    }
    await trial.worker(working, handler, { concurrency: 5 })
    const queue = tending.queue(trial.name)
    for (let round = 1; round <= ROUNDS; round++) {
      const stop = new AbortController()
      const before = ran
      const added = Promise.all([tending, working].map((broker) => adding(broker, round >= KNOWN, stop.signal)))
      await eventually(`runs of round ${round}`, () => ran > before + 20)
      await queue.drop()
      stop.abort()
      await added
      fresh = `fresh-${round}`
      await queue.add('a', fresh, { attempts: 3 })
      await eventually(`the job after round ${round}`, () => seen.has(fresh), undefined, 20_000)
    }
    expect(downs).to.deep.equal([])
  })

  it('is removed for good, by two at once, and nothing of it is left', async () => {
    const [first, second] = [trial.broker(), trial.broker()]
    await first.queue(trial.name).addMany([
      { name: 'a', data: 1, options: { id: 'given' } },
      { name: 'a', data: 2, options: { delay: 60_000 } },
    ])
    await Promise.all([first.queue(trial.name).drop(), second.queue(trial.name).drop(), first.queue(trial.name).drop()])
    expect(await second.queue(trial.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    for (const name of [trial.work, `${trial.work}:failed`, `${trial.work}:ledger`, `${trial.work}:dropping`]) {
      const channel = await trial.channel()
      const error = await channel.checkQueue(name).catch((thrown: unknown) => thrown)
      expect(error, name).to.include({ code: 404 })
    }
  })
  it('replaces a missing delay queue, and starts the jobs that need it once and not early', async () => {
    const [producer, other] = [trial.broker(), trial.broker()]
    const queue = producer.queue(trial.name)
    await Promise.all([queue, other.queue(trial.name)].map((each) => each.add('a', 'before', { delay: DELAY })))
    for (const [level, digit] of STEPS) {
      const channel = await trial.channel()
      await channel.deleteQueue(`${trial.work}:delay-v1.${level}.${digit}`)
      const jobs = [`of ${level}.${digit}`, `${level}.${digit} of the ledger`]
      const since = Date.now()
      await queue.add('a', jobs[0], { delay: DELAY })
      await queue.add('a', jobs[1], { delay: DELAY, id: `job-${level}`, headers: { 'x-tenant': 'é' } })
      const starts = new Map<unknown, number[]>()
      const worker = await trial.worker(other, ({ data, headers, attempt, crashes }) => {
        expect([attempt, crashes]).to.deep.equal([1, 0])
        if (data === jobs[1]) expect(headers).to.deep.equal({ 'x-tenant': 'é' })
        starts.set(data, [...(starts.get(data) ?? []), Date.now() - since])
      })
      await eventually('both', () => jobs.every((job) => starts.has(job)))
      for (const job of jobs) expect(starts.get(job)![0]).to.be.at.least(DELAY)
      await eventually('nothing more', async () => (await queue.counts()).waiting === 0)
      for (const job of jobs) expect(starts.get(job)).to.have.length(1)
      await worker.stop()
    }
  })

  it('takes its delayed jobs out of a chain that is shared, and no others', async () => {
    const broker = trial.broker({ delays: 'shared', prefix: 'drops' })
    const [mine, others] = [broker.queue(trial.name), broker.queue(`${trial.name}-2`)]
    for (const queue of [mine, others]) {
      await queue.add('a', 'plain', { delay: 5_000 })
      await queue.add('a', 'of the ledger', { delay: 5_000, id: 'given' })
    }
    await mine.drop()
    await mine.add('a', 'after', { delay: 6_000 })
    const ran: string[] = []
    for (const queue of [mine, others])
      broker.worker(queue.name, ({ data }) => void ran.push(`${queue === mine ? 1 : 2} ${String(data)}`))
    await eventually('the last', () => ran.includes('1 after'))
    await eventually('the others', () => ran.length >= 3)
    expect(ran.toSorted()).to.deep.equal(['1 after', '2 of the ledger', '2 plain'])
    await Promise.all([mine.drop(), others.drop()])
  })
})
