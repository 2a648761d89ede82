import { expect } from 'chai'
import { Hands } from './hands.ts'
import { eventually, Trial } from './trial.ts'

describe('RabbitMQ, many calls at once', function () {
  this.timeout(120_000)

  it('are all answered by a driver, whatever they ask', async () => {
    const hands = new Hands()
    try {
      await hands.consume(5)
      await hands.add(...Array.from({ length: 10 }, (_, n) => ({ data: n, id: `id-${n}` })))
      await eventually('five deliveries', () => hands.deliveries.length === 5)
      const { admin } = hands
      const asks = [
        () => admin.get('id-7', 'live').then((job) => expect(job?.message.data).to.equal(7)),
        // a worker that does not answer within a second counts as one process more
        () => admin.status().then(({ paused, workers }) => expect([paused, workers > 0]).to.deep.equal([false, true])),
        () => admin.counts().then((counts) => expect(counts).to.deep.equal({ waiting: 5, delayed: 0, active: 5, dead: 0 })),
        () => admin.list('active', { limit: 10 }).then(({ jobs }) => expect(jobs).to.have.length(5)),
        () => admin.get('id-7', 'dead').then((job) => expect(job).to.equal(undefined)),
      ]
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => asks[n % asks.length]!()))
      expect(hands.downs).to.deep.equal([])
    } finally {
      await hands.close()
    }
  })

  it('are all answered by a broker before their deadline', async () => {
    const trial = new Trial()
    try {
      const queue = trial.broker().queue(trial.name)
      await queue.add('a', 1, { id: 'x' })
      const jobs = await Promise.all(Array.from({ length: 4_000 }, () => queue.get('x')))
      expect(jobs.filter((job) => job?.id !== 'x')).to.deep.equal([])
      const counts = await Promise.all(Array.from({ length: 500 }, () => queue.counts()))
      expect(counts.filter(({ waiting }) => waiting !== 1)).to.deep.equal([])
      expect(trial.errors).to.deep.equal([])
    } finally {
      await trial.close()
    }
  })
})
