import { expect } from 'chai'
import { Hands } from './hands.ts'
import { eventually } from './trial.ts'
import type { Message } from '@jobport/core/driver'

const COMPLETE = { type: 'complete', result: null } as const
/** How a job is added, and who knows it. */
const KINDS: readonly (readonly [string, (n: number) => Partial<Message>])[] = [
  ['that only its queue knows', (n) => ({ data: n })],
  ['of the ledger', (n) => ({ data: n, id: `order-${n}` })],
]

describe('RabbitMQ, a job that was given up', function () {
  this.timeout(30_000)
  let hands: Hands

  beforeEach(() => (hands = new Hands()))
  afterEach(() => hands.close())

  for (const [kind, job] of KINDS) {
    it(`comes back as one crash more, after the jobs behind it had their turn: one ${kind}`, async () => {
      await hands.consume(1)
      await hands.add(job(0), job(1), job(2))
      const first = await hands.next('the first job')
      first.abandon()
      first.abandon()
      expect(first.lease.isLost).to.equal(true)
      const late = await first.settle(COMPLETE).catch((error: unknown) => error)
      expect(late).to.include({ code: 'LEASE_LOST' })
      const second = await hands.next('the second job', 1_500)
      expect(second).to.deep.include({ crashes: 0, stalled: false }).and.have.nested.property('message.data', 1)
      await second.settle(COMPLETE)
      const others = [await hands.next('a job'), undefined]
      await others[0]!.settle(COMPLETE)
      others[1] = await hands.next('another job')
      await others[1].settle(COMPLETE)
      const again = others.find((other) => other!.message.data === 0)
      expect(again).to.deep.include({ crashes: 1, stalled: true, attempt: 1 })
      expect(others.find((other) => other!.message.data === 2)).to.deep.include({ crashes: 0, stalled: false })
      await eventually('an empty queue', async () => {
        const { waiting, delayed, active, dead } = await hands.admin.counts()
        return waiting + delayed + active + dead === 0
      })
    })

    it(`does not hold up others when it is given up again and again: one ${kind}`, async () => {
      await hands.consume(1)
      await hands.add(...[0, 1, 2, 3, 4, 5, 6].map(job))
      const done = new Set<number>()
      const crashes = new Map<unknown, number>()
      for (const start = Date.now(); done.size < 5 && Date.now() - start < 10_000; ) {
        const delivery = await hands.next('a job')
        const { data } = delivery.message
        crashes.set(data, delivery.crashes)
        if (data === 0 || data === 1) delivery.abandon()
        else await delivery.settle(COMPLETE).then(() => done.add(Number(data)))
      }
      expect([...done].toSorted((a, b) => a - b)).to.deep.equal([2, 3, 4, 5, 6])
      expect([2, 3, 4, 5, 6].map((data) => crashes.get(data))).to.deep.equal([0, 0, 0, 0, 0])
      await eventually('a second crash', async () => {
        const delivery = await hands.next('a job given up')
        crashes.set(delivery.message.data, delivery.crashes)
        if (delivery.crashes === 2) await delivery.settle(COMPLETE)
        else delivery.abandon()
        return crashes.get(0) === 2 && crashes.get(1) === 2
      })
    })

    it(`goes back at once, as a crash, when its worker closes: one ${kind}`, async () => {
      await hands.consume(1)
      await hands.add(job(0))
      const first = await hands.next('the job')
      first.abandon()
      await hands.consumer!.stop()
      const other = new Hands()
      Object.defineProperty(other, 'queue', { value: hands.queue })
      await other.consume(1)
      const again = await other.next('the job again')
      expect(again).to.deep.include({ crashes: 1, stalled: true })
      await again.settle(COMPLETE)
      await other.driver.close()
    })
  }
})
