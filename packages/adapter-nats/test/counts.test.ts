import { expect } from 'chai'
import { RetryError } from '@jobport/core'
import { eventually, Trial } from './trial.ts'

/** Each takes a job from a worker to the server's schedule, and back. */
const ROUNDS = 20

describe('counts of NATS', function () {
  this.timeout(60_000)

  let trial: Trial
  beforeEach(() => (trial = new Trial()))
  afterEach(() => trial.close())

  it('miss no job that comes due, is retried or dies while others are counted', async () => {
    const [broker, watching] = [trial.broker(), trial.broker()]
    let runs = 0
    await trial.worker(broker, () => {
      if (++runs < ROUNDS) throw new RetryError('not yet', { delay: 1, countAttempt: false })
      throw new Error('enough')
    })
    const queue = watching.queue(trial.name)
    await queue.add('moves', 1)
    const sums = new Set<number>()
    const isDead = async (): Promise<boolean> => {
      const { waiting, delayed, active, dead } = await queue.counts()
      sums.add(waiting + delayed + active + dead)
      return dead === 1
    }
    while (!(await isDead()));
    await eventually('an end', async () => (await queue.counts()).active === 0)
    // one that moves may be seen on both sides
    expect([...sums].filter((sum) => sum < 1)).to.deep.equal([])
    expect(runs).to.equal(ROUNDS)
  })
})
