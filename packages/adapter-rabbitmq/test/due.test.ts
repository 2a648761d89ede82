import { patiently } from '@jobport/conformance'
import { expect } from 'chai'
import { Hands } from './hands.ts'
import { eventually } from './trial.ts'
import type { DelayFeature, Delivery, Message } from '@jobport/core/driver'

const COMPLETE = { type: 'complete', result: null } as const
const JOBS = 6
const KINDS: readonly (readonly [string, (n: number) => Partial<Message>])[] = [
  ['that only its queue knows', (n) => ({ data: n })],
  ['of the ledger', (n) => ({ data: n, id: `order-${n}` })],
]

describe('RabbitMQ, delayed jobs', function () {
  this.timeout(60_000)
  let hands: Hands

  beforeEach(() => (hands = new Hands()))
  afterEach(() => hands.close())

  function feature(): DelayFeature {
    return hands.driver.features.delay as DelayFeature
  }

  async function drained(): Promise<unknown[]> {
    const order: unknown[] = []
    for (let n = 0; n < JOBS; n++) {
      const delivery = await hands.next('a job', 20_000)
      order.push(delivery.message.data)
      await delivery.settle(COMPLETE)
    }
    return order
  }

  for (const [kind, job] of KINDS) {
    it(`start in order of due time, as finely as is declared, when a worker comes late: jobs ${kind}`, async () => {
      await hands.connect()
      const { resolution } = feature()
      const numbers = Array.from({ length: JOBS }, (_, n) => n)
      await hands.add(...numbers.toReversed().map((n) => ({ ...job(n), addedAt: Date.now(), delay: 200 + n * resolution })))
      const jobs = { waiting: JOBS, delayed: 0, active: 0, dead: 0 }
      await eventually('all due', async () => (await hands.admin.counts()).waiting === JOBS, undefined, 20_000)
      expect(await hands.admin.counts()).to.deep.equal(jobs)
      await hands.consume(1)
      expect(await drained()).to.deep.equal(numbers)
    })

    it(`retries too: jobs ${kind}`, async () => {
      await hands.consume(JOBS)
      const { resolution } = feature()
      const numbers = Array.from({ length: JOBS }, (_, n) => n)
      await hands.add(...numbers.map(job))
      await eventually('all runs', () => hands.deliveries.length === JOBS)
      const start = Date.now()
      const first = hands.deliveries.splice(0)
      for (const delivery of first.toReversed()) {
        const due = start + 500 + Number(delivery.message.data) * resolution
        await delivery.settle({ type: 'again', delay: due - Date.now(), attempt: 2 })
      }
      await hands.consumer!.stop()
      await eventually('all due', async () => (await hands.admin.counts()).waiting === JOBS, undefined, 20_000)
      await hands.consume(1)
      expect(await drained()).to.deep.equal(numbers)
    })

    it(`run at once when they are redriven, without their delay and their window: a job ${kind}`, async () => {
      await hands.consume(1)
      const { id } = job(0)
      await hands.add({ ...job(0), delay: 1_500, priority: 3, ...(id !== undefined && { dedup: { ttl: 60_000 } }) })
      const first = await hands.next('the job')
      await first.settle({ type: 'dead', reason: 'attempts', error: { name: 'Error', message: 'no' } })
      const start = Date.now()
      expect(await hands.admin.redrive(first.message.uid, { uid: crypto.randomUUID(), attempts: 7 })).to.equal('redriven')
      const { message, ...again } = await hands.next('the job again')
      expect(Date.now() - start, 'ms').to.be.below(patiently(1_000))
      expect(message).to.include({ attempts: 7, priority: 3 }).and.not.to.include.keys('delay', 'dedup')
      expect(again).to.deep.include({ attempt: 1, crashes: 0 })
    })

    it(`wait as long as they can, 1 ms, or not at all: a job ${kind}`, async () => {
      await hands.consume(3)
      const { max } = feature()
      await hands.add(job(0), job(1), job(2), { ...job(3), delay: max })
      await eventually('three runs', () => hands.deliveries.length === 3)
      const settled: [Delivery, number][] = hands.deliveries.splice(0).map((delivery, n) => [delivery, [max, 1, 0][n]!])
      const at = Date.now()
      for (const [delivery, delay] of settled) await delivery.settle({ type: 'again', delay, attempt: 2 })
      const again = [await hands.next('a retry'), await hands.next('another retry')]
      expect(Date.now() - at).to.be.above(0)
      expect(again.map(({ message }) => message.data)).to.have.members([1, 2])
      for (const delivery of again) {
        expect(delivery).to.include({ attempt: 2, crashes: 0 })
        await delivery.settle(COMPLETE)
      }
      expect(await hands.admin.counts()).to.deep.equal({ waiting: 0, delayed: 2, active: 0, dead: 0 })
      const { jobs } = await hands.admin.list('delayed', { limit: 10 })
      for (const { dueAt } of jobs) expect(dueAt! - at).to.be.within(max - 10_000, max + 10_000)
      expect(await hands.admin.purge('live')).to.equal(2)
    })
  }
})
