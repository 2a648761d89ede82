import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { eventually, Trial } from './trial.ts'

const JOBS = 3_000
const SPAN = 3_000

describe('BullMQ, a worker that was idle', function () {
  this.timeout(30_000)
  let trial: Trial

  beforeEach(() => {
    trial = new Trial()
  })

  afterEach(() => trial.close())

  // a worker that waits for the wrong thing does so for 5 s; a busy machine makes half of them late
  for (const round of ['once', 'and again'])
    it(`does not sleep over what comes due in a steady stream, ${round}`, async () => {
      const broker = trial.broker()
      const late: number[] = []
      await trial.worker(broker, ({ data }) => void late.push(Date.now() - (data as number)), { concurrency: 100 })
      const queue = broker.queue(trial.name)
      const start = Date.now()
      const due = Array.from({ length: JOBS }, (_, i) => start + Math.ceil((i * SPAN) / JOBS))
      await Promise.all(due.map((at) => queue.add('a', at, { at: new Date(at) })))
      await eventually(
        'all runs',
        () => late.length === JOBS,
        () => late.length,
      )
      const usual = late.toSorted((a, b) => a - b)[JOBS / 2]!
      expect(Math.max(...late) - usual, 'lateness beyond that of half of them, ms').to.be.below(patiently(4_500))
    })
})
