import { expect } from 'chai'
import { Trial } from './trial.ts'

const JOBS = 20
/** Of each, ms. */
const DELAY = 600

describe('RabbitMQ, counts', function () {
  this.timeout(60_000)
  let trial: Trial

  beforeEach(() => {
    trial = new Trial()
  })

  afterEach(() => trial.close())

  it('keep their sum while jobs, removed ones among them, move from delay queue to delay queue', async () => {
    const queue = trial.broker().queue(trial.name)
    const ids = Array.from({ length: JOBS }, (_, i) => `later-${i}`)
    await queue.addMany(ids.map((id) => ({ name: 'later', data: 1, options: { id, delay: DELAY } })))
    await Promise.all(ids.slice(JOBS / 2).map((id) => queue.remove(id)))
    const sums: number[] = []
    for (const end = Date.now() + 2 * DELAY; Date.now() < end; ) {
      const { waiting, delayed } = await queue.counts()
      sums.push(waiting + delayed)
    }
    expect(sums.filter((sum) => sum !== JOBS / 2)).to.deep.equal([])
  })
})
