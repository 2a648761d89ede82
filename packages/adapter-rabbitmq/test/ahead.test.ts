import { expect } from 'chai'
import { eventually, Trial } from './trial.ts'

const CONCURRENCY = 10
const QUICK = 1_000
const SLOW = 15

describe('RabbitMQ, quick jobs of the ledger', function () {
  this.timeout(60_000)
  let trial: Trial

  beforeEach(() => {
    trial = new Trial()
  })

  afterEach(() => trial.close())

  it('have the next ones delivered before their settlement is over; slow ones leave them to other workers', async () => {
    const broker = trial.broker()
    const queue = broker.queue(trial.name)
    const gate = Promise.withResolvers<void>()
    const runs: { name: string; by: number; attempt: number; crashes: number }[] = []
    const running = [0, 0]
    let most = 0
    const work = (by: number) =>
      trial.worker(
        broker,
        async ({ name, attempt, crashes }) => {
          most = Math.max(most, ++running[by]!)
          runs.push({ name, by, attempt, crashes })
          if (name === 'slow') await gate.promise
          running[by]!--
        },
        { concurrency: CONCURRENCY },
      )
    const channel = await trial.channel()
    const consumers = async (): Promise<number> => (await channel.checkQueue(trial.work)).consumerCount
    await work(0)
    expect(await consumers()).to.equal(1)
    const jobs = (name: string, count: number) =>
      Array.from({ length: count }, (_, i) => ({ name, data: i, options: { id: `${name}-${i}` } }))
    await queue.addMany(jobs('quick', QUICK))
    await eventually('the quick ones', () => runs.length === QUICK)
    await eventually('a second subscription', async () => (await consumers()) === 2)

    await queue.addMany(jobs('slow', SLOW))
    await eventually('the first slow ones', () => running[0] === CONCURRENCY)
    await work(1)
    await eventually(
      'those for which there was no slot',
      () => running[1] === SLOW - CONCURRENCY,
      () => running,
    )
    expect(most).to.equal(CONCURRENCY)
    gate.resolve()
    await eventually('the end', async () => (await queue.counts()).active === 0)
    // RabbitMQ counts a subscription that has ended until its last message is settled
    await eventually('the end of the second subscription', async () => (await consumers()) === 2)
    expect(runs.length).to.equal(QUICK + SLOW)
    expect(runs.filter(({ attempt, crashes }) => attempt !== 1 || crashes !== 0)).to.deep.equal([])
    expect(trial.errors).to.deep.equal([])
  })

  it('that wait for a slot go back when their worker pauses or stops', async () => {
    const broker = trial.broker()
    const queue = broker.queue(trial.name)
    const gate = Promise.withResolvers<void>()
    const ran: string[] = []
    const worker = await trial.worker(
      broker,
      async ({ id }) => {
        ran.push(id)
        if (ran.length > QUICK) await gate.promise
      },
      { concurrency: CONCURRENCY },
    )
    const ids = Array.from({ length: QUICK + 2 * CONCURRENCY }, (_, i) => `job-${i}`)
    await queue.addMany(ids.map((id) => ({ name: 'a', data: 1, options: { id } })))
    await eventually('the slow ones', () => ran.length === QUICK + CONCURRENCY)
    await queue.pause()
    // workers hear of a pause from the broker
    await eventually('a way back', async () => (await queue.counts()).waiting === CONCURRENCY)
    expect(await queue.counts()).to.deep.equal({ waiting: CONCURRENCY, delayed: 0, active: CONCURRENCY, dead: 0 })
    await queue.resume()
    const stopping = worker.stop()
    gate.resolve()
    await stopping
    // RabbitMQ confirms no hand-back
    await eventually('the way back of what has not run', async () => (await queue.counts()).waiting === CONCURRENCY)
    expect(await queue.counts()).to.deep.equal({ waiting: CONCURRENCY, delayed: 0, active: 0, dead: 0 })
    await trial.worker(trial.broker(), ({ id }) => void ran.push(id), { concurrency: CONCURRENCY })
    await eventually('the rest', () => ran.length === ids.length)
    expect(ran).to.have.members(ids)
    expect(trial.errors).to.deep.equal([])
  })
})
