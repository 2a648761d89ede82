import { expect } from 'chai'
import type { Broker } from '@jobport/core'
import { eventually, Trial } from './trial.ts'

describe('BullMQ, stalled jobs', function () {
  this.timeout(30_000)
  let trial: Trial
  let broker: Broker

  beforeEach(() => {
    trial = new Trial()
    broker = trial.broker()
  })

  afterEach(() => trial.close())

  /** Takes the job and loses its lease, as a worker does that dies, under a plain worker that allows no such loss. */
  const lose = async (): Promise<void> => {
    const lost = await trial.plainWorker(() => new Promise(() => {}), {
      skipLockRenewal: true,
      lockDuration: 300,
      skipStalledCheck: true,
    })
    const queue = trial.plainQueue()
    await eventually('a start', async () => (await queue.getActiveCount()) > 0)
    void lost.close(true)
    const checker = await trial.plainWorker(() => new Promise(() => {}), {
      autorun: false,
      stalledInterval: 50,
      maxStalledCount: 0,
    })
    const stalled = new Promise<void>((resolve) => checker.once('stalled', () => resolve()))
    await checker.startStalledCheckTimer()
    await stalled
    await checker.close()
  }

  it('die by the crash limit of core, not by the one of BullMQ', async () => {
    const ends: string[] = []
    const { uid } = await broker.queue(trial.name).add('a', 1)
    await lose()
    const stalled = await trial.plainQueue().getJob(uid!)
    expect(stalled!.deferredFailure, "a plain worker's verdict").to.match(/stalled more than allowable/)
    const worker = await trial.worker(broker, ({ crashes }) => void ends.push(`ran after ${crashes} crash`))
    worker.on('dead', (_job, _error, reason) => ends.push(`dead: ${reason}`))
    await eventually('its end', () => ends.length > 0)
    expect(ends).to.deep.equal(['ran after 1 crash'])
    expect(await trial.plainQueue().getJobCounts('completed', 'failed')).to.deep.equal({ completed: 1, failed: 0 })
  })

  it('cost a graceful stop nothing, however the stop meets a fetch', async () => {
    const queue = broker.queue(trial.name)
    const stalled: string[] = []
    const crashes = new Map<string, number>()
    const total = 400
    const adding = (async () => {
      for (let i = 0; i < total; i++) await queue.add('a', i)
    })()
    for (let i = 0; i < 40; i++) {
      const one = trial.broker()
      const worker = await trial.worker(
        one,
        async ({ uid }) => {
          await new Promise((resolve) => setTimeout(resolve, uid.charCodeAt(uid.length - 1) % 4))
        },
        { concurrency: 3 },
      )
      worker.on('active', (job) => crashes.set(job.uid, job.crashes))
      worker.on('stalled', ({ uid }) => stalled.push(uid))
      await new Promise((resolve) => setTimeout(resolve, i % 7))
      await one.close({ timeout: i % 2 })
    }
    await adding
    const last = await trial.worker(broker, () => {}, { concurrency: 10 })
    last.on('active', (job) => crashes.set(job.uid, job.crashes))
    last.on('stalled', ({ uid }) => stalled.push(uid))
    await eventually(
      'all completed',
      async () => (await trial.plainQueue().getCompletedCount()) === total,
      () => crashes.size,
      15_000,
    )
    expect(stalled).to.deep.equal([])
    expect([...crashes.values()].filter((count) => count > 0)).to.deep.equal([])
  })
})
