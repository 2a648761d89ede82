import { expect } from 'chai'
import { eventually, Trial } from './trial.ts'
import type { RabbitMQOptions } from '@jobport/adapter-rabbitmq'

const NONE = { waiting: 0, delayed: 0, active: 0, dead: 0 }
const VARIANTS: readonly RabbitMQOptions[] = [
  { ledger: 'given' },
  { ledger: 'all' },
  { ledger: 'given', delays: 'shared', prefix: 'purges' },
  { ledger: 'given', queueType: 'classic' },
]

describe('RabbitMQ, purging', function () {
  this.timeout(60_000)
  let trial: Trial

  beforeEach(() => (trial = new Trial()))
  afterEach(() => trial.close())

  for (const options of VARIANTS) {
    it(`removes and counts all waiting and delayed jobs, and no other: ${JSON.stringify(options)}`, async () => {
      const broker = trial.broker(options)
      const queue = broker.queue(trial.name)
      let finish = (): void => {}
      const ran: unknown[] = []
      const worker = await trial.worker(broker, ({ data }) => {
        ran.push(data)
        return data === 'running' ? new Promise<void>((resolve) => (finish = resolve)) : undefined
      })
      await queue.add('a', 'running')
      await eventually('the run', () => ran.length === 1)
      await queue.addMany(Array.from({ length: 60 }, (_, n) => ({ name: 'a', data: n })))
      await queue.addMany(Array.from({ length: 20 }, (_, n) => ({ name: 'a', data: n, options: { delay: 30_000 + n * 7 } })))
      await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ name: 'a', data: n, options: { delay: 5 + n } })))
      await eventually('ten overdue jobs', async () => (await queue.counts()).waiting === 70)
      expect(await queue.purge(), 'without a given id').to.equal(90)
      expect(await queue.counts()).to.deep.equal({ ...NONE, active: 1 })
      await queue.addMany(Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: n, options: { id: `now-${n}` } })))
      await queue.addMany(
        Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: n, options: { id: `later-${n}`, delay: 1_000 } })),
      )
      await queue.addMany(Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: n, options: { delay: 1_000 } })))
      expect(await queue.purge(), 'mixed').to.equal(15)
      expect(await queue.counts()).to.deep.equal({ ...NONE, active: 1 })
      expect(await queue.purge(), 'again').to.equal(0)
      expect((await queue.add('a', 'after', { id: 'now-1' })).added).to.equal(true)
      finish()
      await eventually('the job after', () => ran.includes('after'))
      await new Promise((resolve) => setTimeout(resolve, 1_700))
      expect(ran).to.deep.equal(['running', 'after'])
      expect(await queue.counts()).to.deep.equal(NONE)
      await worker.stop()
      await queue.drop()
    })
  }

  it('beside a busy worker has each job either run or be removed, never both and never neither', async () => {
    const broker = trial.broker()
    const other = trial.broker()
    const queue = broker.queue(trial.name)
    let ran = 0
    await trial.worker(other, () => void ran++, { concurrency: 10 })
    let [added, purged] = [0, 0]
    const add = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) {
        const jobs = Array.from({ length: 50 }, (_, i) => ({
          name: 'a',
          data: 1,
          options: { ...(i % 5 === 0 && { id: `job-${n}-${i}` }), ...(i % 3 === 0 && { delay: 40 + i }) },
        }))
        added += (await queue.addMany(jobs)).length
      }
    }
    const adding = add()
    const done = new AbortController()
    void adding.finally(() => done.abort())
    while (!done.signal.aborted) purged += await other.queue(trial.name).purge()
    await adding
    await eventually('an empty queue', async () => {
      const { waiting, delayed, active } = await queue.counts()
      return waiting + delayed + active === 0
    })
    await eventually(
      'the last run',
      () => ran + purged >= added,
      () => ({ ran, purged, added }),
    )
    expect(purged).to.be.above(0)
    expect(ran + purged).to.equal(added)
    expect(trial.errors).to.deep.equal([])
  })

  it('leaves jobs of other queues in a chain of delays that is shared', async () => {
    const broker = trial.broker({ delays: 'shared', prefix: 'purges' })
    const [mine, others] = [broker.queue(trial.name), broker.queue(`${trial.name}-2`)]
    await Promise.all(
      [mine, others].map((queue) =>
        queue.addMany(Array.from({ length: 30 }, (_, n) => ({ name: 'a', data: n, options: { delay: 800 + n } }))),
      ),
    )
    expect(await mine.purge()).to.equal(30)
    const ran: unknown[] = []
    broker.worker(`${trial.name}-2`, ({ data }) => void ran.push(data))
    await eventually('the others', () => ran.length === 30)
    await Promise.all([mine.drop(), others.drop()])
  })
})
